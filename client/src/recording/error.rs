//! What can be wrong with a recording.

use super::GROWING;
use crate::event::{ReadError, SCHEMA};
use std::io;
use std::path::PathBuf;

/// Why a recording cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The name does not say what it is.
    #[error(
        "{}: the name of a recording ends in .jsonl, .csv or .parquet", path.display()
    )]
    Format {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be opened.
    #[error("cannot open {}: {error}{}", path.display(), remedy(path))]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// It cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// It cannot be written.
    #[error("cannot write {}: {error}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// There is one of that name.
    #[error("{} is there already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Somebody writes it, or has not come to its end.
    #[error(
        "{} is there already: it is being written, or its writer was ended before it was done",
        path.display()
    )]
    Unfinished {
        /// The file.
        path: PathBuf,
    },
    /// It is what is to be read as well.
    #[error("{} is what is read", path.display())]
    Itself {
        /// The file.
        path: PathBuf,
    },
    /// Parts of it cannot be files.
    #[error("{}: only a file can be rotated", path.display())]
    Rotation {
        /// What is no file.
        path: PathBuf,
    },
    /// It is not what ntwatch has written.
    #[error("{}{place}: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in it.
        place: Place,
        /// What is wrong there.
        why: String,
    },
    /// Another version of the schema.
    #[error(
        "{}: this was recorded with schema {schema}, and this ntwatch reads schema {SCHEMA}; \
         use the release that it was recorded with",
        path.display()
    )]
    Schema {
        /// The file.
        path: PathBuf,
        /// Its schema.
        schema: u32,
    },
}

/// A place in a recording. Lines, columns, rows and their groups are counted from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// None that can be named: it is the file as a whole.
    #[default]
    Nowhere,
    /// A line of text.
    Line(u64),
    /// A line, and the byte of it.
    Column(u64, usize),
    /// A row group of Parquet.
    RowGroup(usize),
    /// A row of Parquet.
    Row {
        /// The row group that it is in.
        group: usize,
        /// Its number in the file, rows of earlier groups counted.
        row: u64,
    },
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nowhere => Ok(()),
            Self::Line(line) => write!(f, ", line {line}"),
            Self::Column(line, column) => write!(f, ", line {line}, column {column}"),
            Self::RowGroup(group) => write!(f, ", row group {group}"),
            Self::Row { group, row } => write!(f, ", row group {group}, row {row}"),
        }
    }
}

/// What a reader of one format says of the file that it reads.
#[derive(Debug)]
pub(super) enum Fault {
    Io(io::Error),
    Damaged(Place, String),
}

impl Fault {
    /// With the file's name.
    pub(super) fn of(self, path: &std::path::Path) -> RecordingError {
        let path = path.to_owned();
        match self {
            Self::Io(error) => RecordingError::Read { path, error },
            Self::Damaged(place, why) => RecordingError::Damaged { path, place, why },
        }
    }

    /// No event is on this line.
    pub(super) fn line(number: u64, error: &ReadError) -> Self {
        let place = match error {
            ReadError::Json(error) => Place::Column(number, error.column()),
            ReadError::Kind(_) => Place::Line(number),
        };
        Self::Damaged(place, why(error))
    }
}

/// Without the place that is meant for texts of many lines.
pub(super) fn why(error: &ReadError) -> String {
    let text = error.to_string();
    match error {
        ReadError::Json(error) => {
            let place = format!(" at line {} column {}", error.line(), error.column());
            text.strip_suffix(&place).unwrap_or(&text).to_owned()
        }
        ReadError::Kind(_) => text,
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A recording that is not whole bears another name.
fn remedy(path: &std::path::Path) -> String {
    let growing = path.with_added_extension(GROWING);
    match growing.is_file() {
        true => format!("; {} is what there is of it", growing.display()),
        false => String::new(),
    }
}
