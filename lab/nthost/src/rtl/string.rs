//! Counted strings.

use std::slice;

use windows_sys::Win32::Foundation::UNICODE_STRING;

use crate::exports::exports;

exports! {
    DISPATCH_LEVEL: RtlInitUnicodeString;
    PASSIVE_LEVEL: RtlCompareUnicodeString, RtlEqualUnicodeString;
    HIGH_LEVEL: RtlCopyUnicodeString;
    APC_LEVEL: RtlUpcaseUnicodeChar;
}

/// The text of a driver's string, what is no UTF-16 replaced. Null reads as empty.
///
/// # Safety
/// `string` is null or points to a string whose buffer holds what its length says.
pub unsafe fn text(string: *const UNICODE_STRING) -> String {
    // SAFETY: the caller's promise.
    String::from_utf16_lossy(unsafe { units(string) })
}

/// # Safety
/// As for [`text`], for as long as `'a`.
pub(crate) unsafe fn units<'a>(string: *const UNICODE_STRING) -> &'a [u16] {
    // SAFETY: null or valid, as the caller promises.
    let Some(string) = (unsafe { string.as_ref() }) else {
        return &[];
    };
    if string.Buffer.is_null() || string.Length < 2 {
        return &[];
    }
    // SAFETY: the buffer holds `Length` bytes.
    unsafe { slice::from_raw_parts(string.Buffer, usize::from(string.Length) / 2) }
}

/// A counted string for drivers that owns its characters.
#[derive(Debug, Clone, Default)]
pub struct NtString(Vec<u16>);

impl NtString {
    /// The string that drivers are shown. Valid as long as `self` is neither dropped nor changed.
    ///
    /// # Panics
    /// If the text is longer than a counted string can be, 32,767 characters.
    pub fn as_nt(&self) -> UNICODE_STRING {
        let length =
            u16::try_from(self.0.len() * 2).expect("a counted string has at most 65,534 bytes");
        UNICODE_STRING {
            Length: length,
            MaximumLength: length,
            Buffer: self.0.as_ptr().cast_mut(),
        }
    }
}

impl From<&str> for NtString {
    fn from(text: &str) -> NtString {
        NtString(text.encode_utf16().collect())
    }
}

/// A UTF-16 unit in upper case, as far as one unit can become one unit.
fn upcase(unit: u16) -> u16 {
    let Some(character) = char::from_u32(u32::from(unit)) else {
        return unit;
    };
    let mut upper = character.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(upper), None) => u16::try_from(u32::from(upper)).unwrap_or(unit),
        _ => unit,
    }
}

/// IRQL ≤ DISPATCH_LEVEL.
unsafe extern "win64" fn RtlInitUnicodeString(string: *mut UNICODE_STRING, source: *const u16) {
    let mut units = 0;
    if !source.is_null() {
        // SAFETY: the driver passes a string that ends with NUL, which is not passed.
        while units < 32_766 && unsafe { source.wrapping_add(units).read() } != 0 {
            units += 1;
        }
    }
    let length = (units * 2) as u16;
    let maximum = if source.is_null() { 0 } else { length + 2 };
    let value = UNICODE_STRING {
        Length: length,
        MaximumLength: maximum,
        Buffer: source.cast_mut(),
    };
    // SAFETY: the driver passes a place for a string.
    unsafe { string.write(value) };
}

/// IRQL = PASSIVE_LEVEL.
unsafe extern "win64" fn RtlCompareUnicodeString(
    left: *const UNICODE_STRING,
    right: *const UNICODE_STRING,
    ignore_case: u8,
) -> i32 {
    // SAFETY: the driver passes valid strings.
    let left = unsafe { units(left) };
    // SAFETY: as above.
    let right = unsafe { units(right) };
    let fold = |unit: &u16| {
        if ignore_case != 0 {
            upcase(*unit)
        } else {
            *unit
        }
    };
    let unequal = left
        .iter()
        .map(fold)
        .zip(right.iter().map(fold))
        .find(|(l, r)| l != r);
    match unequal {
        Some((l, r)) => i32::from(l) - i32::from(r),
        None => left.len() as i32 - right.len() as i32,
    }
}

/// IRQL = PASSIVE_LEVEL.
unsafe extern "win64" fn RtlEqualUnicodeString(
    left: *const UNICODE_STRING,
    right: *const UNICODE_STRING,
    ignore_case: u8,
) -> u8 {
    // SAFETY: the driver passes valid strings.
    u8::from(unsafe { RtlCompareUnicodeString(left, right, ignore_case) } == 0)
}

/// Any IRQL, if the strings are resident. Copies what fits.
unsafe extern "win64" fn RtlCopyUnicodeString(
    to: *mut UNICODE_STRING,
    from: *const UNICODE_STRING,
) {
    // SAFETY: the driver passes valid strings.
    let to = unsafe { &mut *to };
    // SAFETY: as above.
    let from = unsafe { units(from) };
    let count = from.len().min(usize::from(to.MaximumLength) / 2);
    // SAFETY: the target holds `MaximumLength` bytes; the strings may overlap.
    unsafe { std::ptr::copy(from.as_ptr(), to.Buffer, count) };
    to.Length = (count * 2) as u16;
}

/// IRQL ≤ APC_LEVEL.
extern "win64" fn RtlUpcaseUnicodeChar(unit: u16) -> u16 {
    upcase(unit)
}
