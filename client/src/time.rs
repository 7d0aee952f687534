//! Points in time as Windows counts them.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Ticks of 100 ns in a second.
const TICKS: i64 = 10_000_000;
/// Ticks of 100 ns in a day.
const TICKS_A_DAY: i64 = 86_400 * TICKS;
/// The Julian day of 1601-01-01, where Windows begins to count.
const EPOCH_JULIAN_DAY: i32 = 2_305_814;
/// The last tick of the year 9999, the last that RFC 3339 can write.
const LAST: i64 = 2_650_467_743_999_999_999;

/// 100 ns units since 1601-01-01, UTC (page "FILETIME"). Shown as RFC 3339 with all seven digits,
/// `2026-11-22T03:03:27.1234567Z`; a time outside 1601 to 9999 as the nearest one inside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i64);

impl Time {
    /// 1970 began then.
    pub const UNIX_EPOCH: Self = Self(116_444_736_000_000_000);

    /// A time that Windows gave, or `None` for the 0 that stands for "not known".
    #[must_use]
    pub const fn known(ticks: i64) -> Option<Self> {
        if ticks == 0 { None } else { Some(Self(ticks)) }
    }

    /// How long after `earlier` this is; `None` when it is before it.
    #[must_use]
    pub fn since(self, earlier: Time) -> Option<Duration> {
        let ticks = u64::try_from(self.0.checked_sub(earlier.0)?).ok()?;
        let nanos = (ticks % TICKS as u64) as u32 * 100;
        Some(Duration::new(ticks / TICKS as u64, nanos))
    }

    /// The 28 characters of RFC 3339.
    fn rfc3339(self) -> [u8; 28] {
        let ticks = self.0.clamp(0, LAST);
        // At most 3,067,670: the clamp above.
        let days = (ticks / TICKS_A_DAY) as i32;
        let (year, month, day) =
            time::Date::from_julian_day(EPOCH_JULIAN_DAY + days).map_or((9999, 12, 31), |date| {
                (
                    date.year() as u32,
                    u32::from(u8::from(date.month())),
                    u32::from(date.day()),
                )
            });
        let of_day = ticks % TICKS_A_DAY;
        let seconds = (of_day / TICKS) as u32;
        let mut text = *b"0000-00-00T00:00:00.0000000Z";
        digits(&mut text[0..4], year);
        digits(&mut text[5..7], month);
        digits(&mut text[8..10], day);
        digits(&mut text[11..13], seconds / 3600);
        digits(&mut text[14..16], seconds / 60 % 60);
        digits(&mut text[17..19], seconds % 60);
        digits(&mut text[20..27], (of_day % TICKS) as u32);
        text
    }
}

/// Writes `value` in decimal, with zeros before it, over all of `to`.
fn digits(to: &mut [u8], mut value: u32) {
    for digit in to.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rfc3339()
            .iter()
            .try_for_each(|byte| fmt::Write::write_char(f, char::from(*byte)))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.rfc3339();
        serializer.serialize_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

/// A text that is no time of RFC 3339 in UTC between 1601 and 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a time such as 2026-11-22T03:03:27.1234567Z")]
pub struct NotATime;

impl FromStr for Time {
    type Err = NotATime;

    /// Takes any number of digits behind the second; what they say beyond 100 ns is passed over.
    fn from_str(text: &str) -> Result<Self, NotATime> {
        parse(text.as_bytes()).ok_or(NotATime)
    }
}

fn parse(text: &[u8]) -> Option<Time> {
    let (fixed, rest) = text.split_first_chunk::<19>()?;
    let [b'-', b'-', b'T' | b't' | b' ', b':', b':'] = [4, 7, 10, 13, 16].map(|at| fixed[at])
    else {
        return None;
    };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0, |sum: i64, digit| match digit {
            b'0'..=b'9' => Some(sum * 10 + i64::from(digit - b'0')),
            _ => None,
        })
    };
    let part = |from: usize, to: usize| number(&fixed[from..to]);
    let month = time::Month::try_from(u8::try_from(part(5, 7)?).ok()?).ok()?;
    let (year, day) = (part(0, 4)? as i32, part(8, 10)? as u8);
    let date = time::Date::from_calendar_date(year, month, day).ok()?;
    let days = i64::from(date.to_julian_day() - EPOCH_JULIAN_DAY);
    let (hours, minutes, seconds) = (part(11, 13)?, part(14, 16)?, part(17, 19)?);
    if days < 0 || hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    let fraction = match rest.strip_suffix(b"Z")? {
        [] => 0,
        [b'.', digits @ ..] if !digits.is_empty() => {
            let mut ticks = [b'0'; 7];
            let known = digits.len().min(ticks.len());
            ticks[..known].copy_from_slice(&digits[..known]);
            if !digits.iter().all(u8::is_ascii_digit) {
                return None;
            }
            number(&ticks)?
        }
        _ => return None,
    };
    let seconds = (hours * 60 + minutes) * 60 + seconds;
    Some(Time(days * TICKS_A_DAY + seconds * TICKS + fraction))
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::event::text::read(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_time_is_shown_as_rfc_3339_to_the_last_tick() {
        assert_eq!(Time(0).to_string(), "1601-01-01T00:00:00.0000000Z");
        // 1970-01-01, and a leap day.
        assert_eq!(
            Time(116_444_736_000_000_000).to_string(),
            "1970-01-01T00:00:00.0000000Z"
        );
        assert_eq!(
            Time(133_536_384_001_234_567).to_string(),
            "2024-02-29T00:00:00.1234567Z"
        );
        assert_eq!(Time(LAST).to_string(), "9999-12-31T23:59:59.9999999Z");
    }

    proptest! {
        #[test]
        fn the_text_sorts_as_the_times_do(a in 0..=LAST, b in 0..=LAST) {
            let (text_a, text_b) = (Time(a).to_string(), Time(b).to_string());
            prop_assert_eq!(a.cmp(&b), text_a.cmp(&text_b));
        }

        #[test]
        fn a_time_that_was_shown_is_read_again(ticks in 0..=LAST) {
            prop_assert_eq!(Time(ticks).to_string().parse(), Ok(Time(ticks)));
        }

        #[test]
        fn rubbish_is_no_time(text in "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\PC*)") {
            if let Ok(time) = text.parse::<Time>() {
                prop_assert_eq!(&time.to_string()[..19], &text[..19]);
            }
        }

        #[test]
        fn any_number_is_shown_as_some_time(ticks: i64) {
            prop_assert_eq!(Time(ticks).to_string().len(), 28);
        }
    }
}
