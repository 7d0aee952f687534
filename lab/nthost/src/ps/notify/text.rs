//! Strings that drivers are shown for the time of a call.

use windows_sys::Win32::Foundation::UNICODE_STRING;

/// A string for one call. Overwritten when the call is over, so that a driver that kept the
/// pointer reads rubbish.
pub(super) struct Text {
    units: Vec<u16>,
    string: UNICODE_STRING,
}

impl Text {
    pub(super) fn of(units: Option<&[u16]>) -> Option<Text> {
        let mut units = units?.to_vec();
        let bytes = (units.len() * 2) as u16;
        let string = UNICODE_STRING {
            Length: bytes,
            MaximumLength: bytes,
            Buffer: units.as_mut_ptr(),
        };
        Some(Text { units, string })
    }

    pub(super) fn pointer(&mut self) -> *mut UNICODE_STRING {
        &raw mut self.string
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        self.units.fill(0xdddd);
        std::hint::black_box(&self.units);
    }
}
