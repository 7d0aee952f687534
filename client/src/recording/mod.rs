//! Recordings: events in files, and back.
//!
//! ```no_run
//! use ntwatch_client::recording::{Recordings, Rotation, Recorder, Format};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut whole = Recorder::create("day.parquet", Format::Parquet, Rotation::default(), false)?;
//! for event in Recordings::open(&["morning.jsonl", "evening.csv"], None)? {
//!     whole.write(&event?)?;
//! }
//! whole.finish()?;
//! # Ok(())
//! # }
//! ```
//!
//! All formats have all facts: an event that was written in one and read again is the same line of
//! JSON ([`Event`](crate::Event) serialises to it).
//!
//! A file under its own name is whole. While it grows it bears [`GROWING`] behind the name, and so
//! it stays if its writer is killed: whatever was written of it can be read.
//!
//! A Parquet file is of no use without its end, the footer. While one grows, the footer so far lies
//! beside it (`day.parquet.footer`), and is replaced at once whenever a row group was written. Read
//! under the name that it has while it grows, such a file has the rows that are in its row groups:
//! 65,536 each, or those of a minute.

mod csv;
mod cut_off;
mod error;
mod facts;
mod file;
mod jsonl;
mod next;
mod parquet;
mod read;
mod recorder;
mod rotation;
mod several;
mod write;

pub use cut_off::CutOff;
pub use error::{Place, RecordingError};
pub use read::Recording;
pub use recorder::Recorder;
pub use rotation::Rotation;
pub use several::Recordings;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// What the name of a file ends in while it grows: `day.jsonl.growing`.
pub const GROWING: &str = "growing";

/// The name that a recording bears until it is whole.
#[must_use]
pub fn growing(path: &Path) -> PathBuf {
    path.with_added_extension(GROWING)
}

/// The formats of recordings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON Lines, schema 1.
    Jsonl,
    /// Comma-separated values, a column for each fact.
    Csv,
    /// Parquet: nested columns, in row groups, zstd.
    Parquet,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Jsonl, Self::Csv, Self::Parquet];

    /// What the names of such files end in.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
        }
    }

    /// The format of a file, by its name.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let path = match path.extension() {
            Some(end) if end == GROWING => Path::new(path.file_stem()?),
            _ => path,
        };
        let extension = path.extension().and_then(OsStr::to_str)?;
        let mut all = Self::ALL.into_iter();
        all.find(|format| format.extension().eq_ignore_ascii_case(extension))
    }

    /// As it was `chosen`, or by the file's name. What goes through a pipe, `-`, is JSON Lines.
    ///
    /// # Errors
    /// [`RecordingError::Format`], when it is neither.
    pub fn choose(path: &Path, chosen: Option<Self>) -> Result<Self, RecordingError> {
        let piped = || (path == Path::new("-")).then_some(Self::Jsonl);
        chosen
            .or_else(piped)
            .or_else(|| Self::of(path))
            .ok_or_else(|| RecordingError::Format { path: path.into() })
    }
}
