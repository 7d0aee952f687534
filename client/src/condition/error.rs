//! What is wrong with a condition, and where.

use std::fmt;
use std::ops::Range;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Why a text is no condition. Shown with the place, on lines of their own:
///
/// ```text
/// there is no fact `process.imgae`; do you mean process.image?
///   process.imgae ~ cmd.exe
///   ^^^^^^^^^^^^^
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionError {
    what: String,
    /// The line that it is on, with what no terminal can show replaced.
    line: String,
    /// Columns of that line.
    columns: Range<usize>,
}

impl ConditionError {
    pub(super) fn new(what: impl Into<String>, text: &str, at: &Range<usize>) -> Self {
        let begin = text[..at.start].rfind('\n').map_or(0, |end| end + 1);
        let end = text[at.start..].find('\n');
        let end = end.map_or(text.len(), |length| at.start + length);
        let (before, rest) = text[begin..end].split_at(at.start - begin);
        let wrong = &rest[..at.len().min(rest.len())];
        let (before, wrong, line) = (shown(before), shown(wrong), shown(&text[begin..end]));
        let from = before.width();
        Self {
            what: what.into(),
            line,
            // What has ended too early is missed behind it.
            columns: from..from + wrong.width().max(1),
        }
    }

    /// What is wrong, without its place.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Where it is wrong, in columns of the line that it is on.
    #[must_use]
    pub const fn columns(&self) -> &Range<usize> {
        &self.columns
    }
}

/// A blank for what takes no column.
fn shown(text: &str) -> String {
    let blank = |letter: char| {
        if letter.width().is_some() {
            letter
        } else {
            ' '
        }
    };
    text.chars().map(blank).collect()
}

impl fmt::Display for ConditionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            line,
            columns: Range { start, end },
        } = self;
        let carets = "^".repeat(end - start);
        write!(f, "{what}\n  {line}\n  {:start$}{carets}", "")
    }
}

impl std::error::Error for ConditionError {}
