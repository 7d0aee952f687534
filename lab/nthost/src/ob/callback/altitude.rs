//! Altitudes: where in the order of drivers a driver stands.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// A decimal number of any length, perhaps with a fraction (page "Load Order Groups and Altitudes
/// for Minifilter Drivers"). The highest is nearest to who opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Altitude {
    /// Without leading zeros.
    integer: String,
    /// Without trailing zeros.
    fraction: String,
}

/// The text is not an altitude.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotAnAltitude;

impl FromStr for Altitude {
    type Err = NotAnAltitude;

    fn from_str(text: &str) -> Result<Altitude, NotAnAltitude> {
        let (integer, fraction) = match text.split_once('.') {
            Some((_, "")) => return Err(NotAnAltitude),
            Some(parts) => parts,
            None => (text, ""),
        };
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if integer.is_empty() || !digits(integer) || !digits(fraction) {
            return Err(NotAnAltitude);
        }
        Ok(Altitude {
            integer: integer.trim_start_matches('0').into(),
            fraction: fraction.trim_end_matches('0').into(),
        })
    }
}

impl Ord for Altitude {
    fn cmp(&self, other: &Self) -> Ordering {
        // Of two numbers without leading zeros the longer one is greater; digits behind the point
        // compare from the left.
        let key = |altitude: &Self| altitude.integer.len();
        key(self)
            .cmp(&key(other))
            .then_with(|| self.integer.cmp(&other.integer))
            .then_with(|| self.fraction.cmp(&other.fraction))
    }
}

impl PartialOrd for Altitude {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Altitude {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let integer = match self.integer.as_str() {
            "" => "0",
            integer => integer,
        };
        match self.fraction.as_str() {
            "" => f.write_str(integer),
            fraction => write!(f, "{integer}.{fraction}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_decimal_number_is_no_altitude() {
        for text in ["", ".", "1.", ".5", "-1", "1.2.3", "320000 ", "٣", "0x10"] {
            assert_eq!(text.parse::<Altitude>(), Err(NotAnAltitude), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn altitudes_are_in_the_order_of_their_numbers(
            left in (0u64..2000, 0u32..1000), right in (0u64..2000, 0u32..1000),
            zeros in 0usize..30,
        ) {
            // Thousandths, so that both numbers are whole; zeros at either end change nothing.
            let parse = |(whole, thousandths): (u64, u32), zeros: usize| {
                let zeros = "0".repeat(zeros);
                format!("{zeros}{whole}.{thousandths:03}{zeros}").parse::<Altitude>().unwrap()
            };
            prop_assert_eq!(parse(left, zeros).cmp(&parse(right, 0)), left.cmp(&right));
        }

        #[test]
        fn any_text_is_an_altitude_that_reads_back_or_none(text in "[0-9.]{0,40}|.*") {
            if let Ok(altitude) = text.parse::<Altitude>() {
                prop_assert_eq!(altitude.to_string().parse(), Ok(altitude));
            }
        }
    }
}
