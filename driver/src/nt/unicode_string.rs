//! Counted strings.

use wdk_sys::UNICODE_STRING;

/// ASCII text in UTF-16, at compile time.
pub(crate) const fn utf16<const N: usize>(text: &str) -> [u16; N] {
    let bytes = text.as_bytes();
    assert!(bytes.len() == N && text.is_ascii());
    let mut units = [0; N];
    let mut index = 0;
    while index < N {
        units[index] = bytes[index] as u16;
        index += 1;
    }
    units
}

/// A `UNICODE_STRING` over `units`, for functions that only read it while they are there.
pub(crate) const fn unicode_string(units: &[u16]) -> UNICODE_STRING {
    let length = size_of_val(units);
    assert!(length <= u16::MAX as usize);
    UNICODE_STRING {
        Length: length as u16,
        MaximumLength: length as u16,
        Buffer: units.as_ptr().cast_mut(),
    }
}

/// The text that `string` counts, UTF-16LE; `None` where there is no string.
///
/// # Safety
/// `string` is null, or points to a string that stays as it is for `'a`.
pub(crate) unsafe fn text<'a>(string: *const UNICODE_STRING) -> Option<&'a [u8]> {
    // SAFETY: null or valid, as the caller promises.
    let string = unsafe { string.as_ref() }?;
    if string.Buffer.is_null() {
        // N.B. An empty string need not have a buffer.
        return (string.Length == 0).then_some(&[]);
    }
    let bytes = string.Buffer.cast::<u8>();
    // SAFETY: a counted string has `Length` bytes at `Buffer`.
    Some(unsafe { core::slice::from_raw_parts(bytes, usize::from(string.Length)) })
}
