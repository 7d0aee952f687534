//! Recordings without their end.

use std::fmt;
use std::path::{Path, PathBuf};

/// A recording ends in the middle of something: its writer was killed, or ran out of room. All
/// that was read before is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutOff {
    path: PathBuf,
    rest: Rest,
}

/// What is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// A line, and so many bytes that there are of it.
    Line { line: u64, bytes: usize },
    /// Whatever was not in a row group yet, behind so many rows.
    Rows { rows: u64 },
}

impl Rest {
    pub(super) fn of(self, path: &Path) -> CutOff {
        let path = path.to_owned();
        CutOff { path, rest: self }
    }
}

impl fmt::Display for CutOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match self.rest {
            Rest::Line { line, bytes } => write!(
                f,
                "{path} is cut off: of line {line} there are only {bytes} bytes, which were left out"
            ),
            Rest::Rows { rows } => write!(
                f,
                "{path} was not finished: behind its {rows} events may have been more, which were not \
                 yet in a row group"
            ),
        }
    }
}
