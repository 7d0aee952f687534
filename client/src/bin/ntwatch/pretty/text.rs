//! Text in columns.

use ntwatch_client::time::Time;
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A length of time to three digits below a minute, to the second above.
pub(super) struct Lifetime(pub(super) Duration);

impl fmt::Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < Duration::from_secs(60) {
            write!(f, "{:.3} s", self.0.as_secs_f64())
        } else {
            let seconds = Duration::from_secs(self.0.as_secs());
            write!(f, "{}", humantime::format_duration(seconds))
        }
    }
}

/// The time of day, to the millisecond.
pub(super) fn clock(time: Time) -> String {
    time.to_string().get(11..23).unwrap_or_default().to_owned()
}

pub(super) fn file_name(path: &str) -> &str {
    path.rsplit(['\\', '/']).next().unwrap_or(path)
}

/// The text without characters that would move the cursor, change colours or reverse the line:
/// command lines come from whoever started the process.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    fn is_harmful(c: char) -> bool {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    }
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::new();
    for c in text.chars() {
        if is_harmful(c) {
            escaped.extend(c.escape_default());
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

/// The part of `text` that there is room for, with an ellipsis for the end that there is not.
pub(super) fn cut(text: &str, room: Option<usize>) -> Cow<'_, str> {
    let Some(room) = room.filter(|room| text.width() > *room) else {
        return Cow::Borrowed(text);
    };
    let mut kept: String = fitting(text.chars(), room.saturating_sub(1)).collect();
    if room > 0 {
        kept.push('…');
    }
    Cow::Owned(kept)
}

/// As [`cut`], with the ellipsis for the beginning: a path's end says more.
pub(super) fn cut_front(text: &str, room: Option<usize>) -> Cow<'_, str> {
    let Some(room) = room.filter(|room| text.width() > *room) else {
        return Cow::Borrowed(text);
    };
    let mut kept: String = fitting(text.chars().rev(), room.saturating_sub(1)).collect();
    if room > 0 {
        kept.push('…');
    }
    Cow::Owned(kept.chars().rev().collect())
}

/// As many of the first characters as fit.
fn fitting(text: impl Iterator<Item = char>, mut room: usize) -> impl Iterator<Item = char> {
    text.map_while(move |c| {
        room = room.checked_sub(c.width().unwrap_or(0))?;
        Some(c)
    })
}

/// The text in `columns`, or in as many as it needs if it is not to be cut.
pub(super) fn pad(text: &str, columns: usize, may_cut: bool) -> String {
    let mut padded = cut(text, may_cut.then_some(columns)).into_owned();
    // A wide character may leave a column that it does not fit into.
    let missing = columns.saturating_sub(padded.width());
    padded.extend(std::iter::repeat_n(' ', missing));
    padded
}
