//! Where this driver stands among all that have callbacks for handles: the lower, the later its
//! turn before an open (page "Load Order Groups and Altitudes for Minifilter Drivers").

use crate::nt::unicode_string::{unicode_string, utf16};
use crate::wdf::driver::Driver;
use wdk_sys::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_OBJECT_NAME_NOT_FOUND, UNICODE_STRING};

/// Where the service's Parameters key names none: among the activity monitors, with a fraction
/// that keeps it apart from theirs.
const DEFAULT: &str = "371250.94173";
static DEFAULT_UNITS: [u16; DEFAULT.len()] = utf16(DEFAULT);

const VALUE_NAME: &str = "Altitude";
static VALUE_NAME_UNITS: [u16; VALUE_NAME.len()] = utf16(VALUE_NAME);

/// UTF-16 units that an altitude may have here, the NUL of the registry among them.
const MAX_UNITS: usize = 64;

/// Decimal digits, perhaps with a fraction.
pub(crate) struct Altitude {
    units: [u16; MAX_UNITS],
    len: usize,
}

impl Altitude {
    /// What the service's Parameters key says, or the default. A value that is no string, too long
    /// or no number is an error. IRQL = PASSIVE_LEVEL.
    pub(crate) fn read(driver: Driver) -> Result<Self, NTSTATUS> {
        let mut altitude = Self {
            units: [0; MAX_UNITS],
            len: 0,
        };
        let name = unicode_string(&VALUE_NAME_UNITS);
        let value = driver
            .open_parameters_registry_key()
            .and_then(|key| key.query_string(&name, &mut altitude.units));
        match value {
            Ok(len) => altitude.len = len,
            Err(STATUS_OBJECT_NAME_NOT_FOUND) => {
                for (to, from) in altitude.units.iter_mut().zip(DEFAULT_UNITS) {
                    *to = from;
                }
                altitude.len = DEFAULT_UNITS.len();
            }
            Err(status) => return Err(status),
        }
        match is_number(altitude.units()) {
            true => Ok(altitude),
            false => Err(STATUS_INVALID_PARAMETER),
        }
    }

    fn units(&self) -> &[u16] {
        self.units.get(..self.len).unwrap_or_default()
    }

    /// For functions that only read it.
    pub(crate) fn as_unicode_string(&self) -> UNICODE_STRING {
        unicode_string(self.units())
    }
}

/// Digits, perhaps a point and more digits.
fn is_number(units: &[u16]) -> bool {
    let mut parts = units.split(|unit| *unit == u16::from(b'.'));
    let is_digits = |part: &[u16]| {
        let is_digit = |unit: &u16| (u16::from(b'0')..=u16::from(b'9')).contains(unit);
        !part.is_empty() && part.iter().all(is_digit)
    };
    parts.by_ref().take(2).all(is_digits) && parts.next().is_none()
}
