//! The kernel's printf.

use std::ffi::CStr;
use std::fmt::Write as _;
use std::slice;

use windows_sys::Win32::Foundation::UNICODE_STRING;

/// The arguments of a variadic call: 8 bytes each.
struct Arguments(*const u64);

impl Arguments {
    fn next(&mut self) -> u64 {
        // SAFETY: the format asks for no more arguments than there are, as `format` was promised.
        let value = unsafe { self.0.read() };
        self.0 = self.0.wrapping_add(1);
        value
    }
}

#[derive(Default)]
struct Specification {
    left: bool,
    plus: bool,
    space: bool,
    alternate: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
    length: Length,
}

#[derive(Default, Clone, Copy, PartialEq)]
enum Length {
    Half,
    #[default]
    Int,
    /// `l` and `w`: 32 bits for a number, UTF-16 for a string.
    Long,
    LongLong,
}

/// Formats `pattern` as `DbgPrint` does: integers, characters, pointers and strings of both
/// kinds, counted ones (`%wZ`, `%Z`) too. A conversion it does not know is printed as it stands.
///
/// # Safety
/// `arguments` points to what `pattern` asks for, and the strings are valid.
pub(super) unsafe fn format(pattern: &[u8], arguments: *const u64) -> String {
    let mut arguments = Arguments(arguments);
    let mut out = String::new();
    let mut rest = pattern;
    while let Some((&first, after)) = rest.split_first() {
        if first != b'%' {
            let plain = rest
                .iter()
                .position(|&byte| byte == b'%')
                .unwrap_or(rest.len());
            out.push_str(&String::from_utf8_lossy(&rest[..plain]));
            rest = &rest[plain..];
            continue;
        }
        let (specification, conversion, after) = parse(after, &mut arguments);
        // SAFETY: the caller's promise.
        match unsafe { convert(conversion, &specification, &mut arguments) } {
            Some(text) => out.push_str(&text),
            None => out.push_str(&String::from_utf8_lossy(&rest[..rest.len() - after.len()])),
        }
        rest = after;
    }
    out
}

/// Reads one conversion behind its `%`: what it says, its letter (0 at the end), what follows.
fn parse<'a>(mut rest: &'a [u8], arguments: &mut Arguments) -> (Specification, u8, &'a [u8]) {
    let mut specification = Specification::default();
    while let Some((&byte, after)) = rest.split_first() {
        match byte {
            b'-' => specification.left = true,
            b'+' => specification.plus = true,
            b' ' => specification.space = true,
            b'#' => specification.alternate = true,
            b'0' => specification.zero = true,
            _ => break,
        }
        rest = after;
    }
    specification.width = number(&mut rest, arguments).unwrap_or(0);
    if let Some(after) = rest.strip_prefix(b".") {
        rest = after;
        specification.precision = Some(number(&mut rest, arguments).unwrap_or(0));
    }
    let lengths: [(&[u8], Length); 10] = [
        (b"I64", Length::LongLong),
        (b"I32", Length::Int),
        (b"ll", Length::LongLong),
        (b"hh", Length::Half),
        (b"I", Length::LongLong),
        (b"z", Length::LongLong),
        (b"j", Length::LongLong),
        (b"h", Length::Half),
        (b"l", Length::Long),
        (b"w", Length::Long),
    ];
    if let Some((prefix, length)) = lengths.iter().find(|(prefix, _)| rest.starts_with(prefix)) {
        specification.length = *length;
        rest = &rest[prefix.len()..];
    }
    match rest.split_first() {
        Some((&conversion, after)) => (specification, conversion, after),
        None => (specification, 0, rest),
    }
}

/// A width or precision; hostile ones are cut short.
fn number(rest: &mut &[u8], arguments: &mut Arguments) -> Option<usize> {
    if let Some(after) = rest.strip_prefix(b"*") {
        *rest = after;
        return Some((arguments.next() as u32 as usize).min(4096));
    }
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (text, after) = rest.split_at(digits);
    *rest = after;
    let value = text.iter().fold(0usize, |value, digit| {
        (value * 10 + usize::from(digit - b'0')).min(4096)
    });
    (digits > 0).then_some(value)
}

/// # Safety
/// As for [`format()`].
unsafe fn convert(
    conversion: u8,
    how: &Specification,
    arguments: &mut Arguments,
) -> Option<String> {
    let text = match conversion {
        b'%' => return Some("%".into()),
        b'd' | b'i' => {
            let value = match how.length {
                Length::LongLong => arguments.next() as i64,
                _ => i64::from(arguments.next() as i32),
            };
            let sign = match value {
                ..0 => "-",
                _ if how.plus => "+",
                _ if how.space => " ",
                _ => "",
            };
            return Some(integer(sign, value.unsigned_abs().to_string(), how));
        }
        b'u' | b'x' | b'X' | b'o' => {
            let value = match how.length {
                Length::LongLong => arguments.next(),
                _ => u64::from(arguments.next() as u32),
            };
            let (prefix, digits) = match conversion {
                b'u' => ("", format!("{value}")),
                b'x' => ("0x", format!("{value:x}")),
                b'X' => ("0X", format!("{value:X}")),
                _ => ("0", format!("{value:o}")),
            };
            let prefix = if how.alternate && value != 0 {
                prefix
            } else {
                ""
            };
            return Some(integer(prefix, digits, how));
        }
        b'p' => format!("{:016X}", arguments.next()),
        b'c' | b'C' => {
            let unit = arguments.next() as u16;
            let wide = (conversion == b'C') != (how.length == Length::Long);
            let code = if wide {
                u32::from(unit)
            } else {
                u32::from(unit as u8)
            };
            char::from_u32(code)
                .unwrap_or(char::REPLACEMENT_CHARACTER)
                .into()
        }
        b's' | b'S' => {
            let wide = match how.length {
                Length::Long => true,
                Length::Half => false,
                _ => conversion == b'S',
            };
            // SAFETY: the caller's promise.
            unsafe { string(arguments.next(), wide, how.precision) }
        }
        // SAFETY: the caller's promise.
        b'Z' => unsafe { counted(arguments.next(), how.length == Length::Long, how.precision) },
        _ => return None,
    };
    let mut padded = String::new();
    // Writing to a string cannot fail.
    let _ = match how.left {
        true => write!(padded, "{text:<width$}", width = how.width),
        false => write!(padded, "{text:>width$}", width = how.width),
    };
    Some(padded)
}

fn integer(prefix: &str, digits: String, how: &Specification) -> String {
    let digits = format!("{digits:0>width$}", width = how.precision.unwrap_or(1));
    let width = how.width;
    if how.left {
        format!("{:<width$}", format!("{prefix}{digits}"))
    } else if how.zero && how.precision.is_none() {
        format!(
            "{prefix}{digits:0>width$}",
            width = width.saturating_sub(prefix.len())
        )
    } else {
        format!("{:>width$}", format!("{prefix}{digits}"))
    }
}

/// # Safety
/// `address` is null or that of a string that ends with NUL or at `precision`.
unsafe fn string(address: u64, wide: bool, precision: Option<usize>) -> String {
    let limit = precision.unwrap_or(usize::MAX);
    if address == 0 {
        return "(null)".into();
    }
    if !wide {
        let text = address as *const u8;
        let length = match precision {
            // SAFETY: the caller's promise.
            None => unsafe { CStr::from_ptr(text.cast()) }.count_bytes(),
            // SAFETY: no byte behind the NUL or the limit is read.
            Some(_) => (0..limit)
                .take_while(|&at| unsafe { text.wrapping_add(at).read() } != 0)
                .count(),
        };
        // SAFETY: that many bytes were just found.
        return String::from_utf8_lossy(unsafe { slice::from_raw_parts(text, length) })
            .into_owned();
    }
    let text = address as *const u16;
    // SAFETY: no unit behind the NUL or the limit is read.
    let length = (0..limit)
        .take_while(|&at| unsafe { text.wrapping_add(at).read_unaligned() } != 0)
        .count();
    // SAFETY: that many units were just found.
    let units = (0..length).map(|at| unsafe { text.wrapping_add(at).read_unaligned() });
    char::decode_utf16(units)
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

/// # Safety
/// `address` is null or that of a valid counted string, of UTF-16 if `wide`.
unsafe fn counted(address: u64, wide: bool, precision: Option<usize>) -> String {
    let string = address as *const UNICODE_STRING;
    // SAFETY: the caller's promise.
    let Some(counted) = (unsafe { string.as_ref() }) else {
        return "(null)".into();
    };
    if wide {
        // SAFETY: the caller's promise.
        let units = unsafe { super::string::units(string) };
        let length = units.len().min(precision.unwrap_or(usize::MAX));
        return String::from_utf16_lossy(&units[..length]);
    }
    let length = usize::from(counted.Length).min(precision.unwrap_or(usize::MAX));
    if counted.Buffer.is_null() {
        return String::new();
    }
    // SAFETY: an ANSI_STRING has the same layout, and its buffer holds `Length` bytes.
    let bytes = unsafe { slice::from_raw_parts(counted.Buffer.cast::<u8>(), length) };
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtl::NtString;

    fn print(pattern: &CStr, arguments: &[u64]) -> String {
        // SAFETY: each test passes what its pattern asks for.
        unsafe { format(pattern.to_bytes(), arguments.as_ptr()) }
    }

    #[test]
    fn numbers_are_printed_as_in_c() {
        assert_eq!(
            print(c"%d|%5d|%-5d|%05d|%+d", &[1, 2, 3, 4, 5]),
            "1|    2|3    |00004|+5"
        );
        assert_eq!(print(c"%d %u", &[u64::MAX, u64::MAX]), "-1 4294967295");
        assert_eq!(
            print(c"%lld %I64u", &[u64::MAX, u64::MAX]),
            "-1 18446744073709551615"
        );
        assert_eq!(
            print(c"%x %#X %08x %.4x", &[255, 255, 255, 255]),
            "ff 0XFF 000000ff 00ff"
        );
        assert_eq!(print(c"%*d", &[4, 7]), "   7");
        assert_eq!(print(c"%p", &[0x1234]), "0000000000001234");
    }

    #[test]
    fn strings_of_both_kinds_are_printed() {
        let wide: Vec<u16> = "wide\0".encode_utf16().collect();
        let narrow = c"narrow".as_ptr() as u64;
        let wide = wide.as_ptr() as u64;
        assert_eq!(
            print(c"%s|%ws|%ls|%S", &[narrow, wide, wide, wide]),
            "narrow|wide|wide|wide"
        );
        assert_eq!(
            print(c"%.3s|%8s|%-8s|", &[narrow, narrow, narrow]),
            "nar|  narrow|narrow  |"
        );
        assert_eq!(print(c"%s", &[0]), "(null)");
        let owned = NtString::from("counted");
        let string = owned.as_nt();
        assert_eq!(print(c"%wZ", &[(&raw const string) as u64]), "counted");
    }

    #[test]
    fn what_is_no_conversion_is_printed_as_it_stands() {
        assert_eq!(print(c"100%% %q %", &[]), "100% %q %");
    }
}
