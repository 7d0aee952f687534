//! One recording, read.

use super::Format;
use super::csv::Csv;
use super::cut_off::CutOff;
use super::error::RecordingError;
use super::jsonl::JsonLines;
use super::next::Next;
use super::parquet::ParquetReader;
use crate::event::{Body, Event, SCHEMA};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

/// Bytes that are read at once.
const BUFFER: usize = 256 * 1024;

/// The events of a recording, in its order. An error is its last item.
pub struct Recording {
    path: PathBuf,
    source: Source,
    len: u64,
    ended: bool,
    cut_off: Option<CutOff>,
}

type Text = Box<dyn BufRead + Send>;

enum Source {
    Jsonl(JsonLines<Text>),
    Csv(Box<Csv<Text>>),
    Parquet(Box<ParquetReader>),
}

impl Recording {
    /// Opens a file, of the format that it has by its name if none was `chosen`. `-` is standard
    /// input, and JSON Lines if nothing else was chosen.
    ///
    /// # Errors
    /// [`RecordingError::Open`], [`RecordingError::Format`], and what is wrong with its beginning.
    pub fn open(path: &Path, chosen: Option<Format>) -> Result<Self, RecordingError> {
        if path == Path::new("-") {
            let format = Format::choose(path, chosen)?;
            let input = BufReader::with_capacity(BUFFER, io::stdin());
            return Self::of_text("standard input".into(), format, Box::new(input), 0);
        }
        let cannot = |error| RecordingError::Open {
            path: path.into(),
            error,
        };
        let file = File::open(path).map_err(cannot)?;
        let data = file.metadata().map_err(cannot)?;
        if data.is_dir() {
            return Err(cannot(io::ErrorKind::IsADirectory.into()));
        }
        let format = Format::choose(path, chosen)?;
        let len = data.len();
        if format == Format::Parquet {
            if !data.is_file() {
                return Err(piped(path.into()));
            }
            let parquet = ParquetReader::open(path, file).map_err(|fault| fault.of(path))?;
            return Ok(Self::new(
                path.into(),
                Source::Parquet(Box::new(parquet)),
                len,
            ));
        }
        let text = Box::new(BufReader::with_capacity(BUFFER, file));
        Self::of_text(path.into(), format, text, len)
    }

    fn of_text(
        path: PathBuf,
        format: Format,
        text: Text,
        len: u64,
    ) -> Result<Self, RecordingError> {
        let source = match format {
            Format::Jsonl => Source::Jsonl(JsonLines::new(text)),
            Format::Csv => {
                let csv = Csv::new(text).map_err(|fault| fault.of(&path))?;
                Source::Csv(Box::new(csv))
            }
            Format::Parquet => return Err(piped(path)),
        };
        Ok(Self::new(path, source, len))
    }

    const fn new(path: PathBuf, source: Source, len: u64) -> Self {
        Self {
            path,
            source,
            len,
            ended: false,
            cut_off: None,
        }
    }

    /// What is missing at its end, once the end was reached.
    #[must_use]
    pub const fn cut_off(&self) -> Option<&CutOff> {
        self.cut_off.as_ref()
    }

    /// Bytes of the file; 0 if that is not known.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "of the file")]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// How many of them were read.
    #[must_use]
    pub fn passed(&self) -> u64 {
        match &self.source {
            Source::Jsonl(lines) => lines.passed,
            Source::Csv(csv) => csv.passed(),
            Source::Parquet(parquet) => {
                let part = parquet.rows as f64 / parquet.all_rows().max(1) as f64;
                (self.len as f64 * part) as u64
            }
        }
    }

    fn read(&mut self) -> Result<Option<Event>, RecordingError> {
        let next = match &mut self.source {
            Source::Jsonl(lines) => lines.next(),
            Source::Csv(csv) => csv.next(),
            Source::Parquet(parquet) => parquet.next(),
        };
        let event = match next.map_err(|fault| fault.of(&self.path))? {
            Next::Event(event) => event,
            Next::CutOff(rest) => {
                self.cut_off = Some(rest.of(&self.path));
                return Ok(None);
            }
            Next::End => return Ok(None),
        };
        match &event.body {
            Body::Session { session } if session.schema != SCHEMA => Err(RecordingError::Schema {
                path: self.path.clone(),
                schema: session.schema,
            }),
            _ => Ok(Some(event)),
        }
    }
}

/// Parquet's end says where its columns begin.
fn piped(path: PathBuf) -> RecordingError {
    let why = "Parquet is read from its end, and so not from a pipe; write it to a file first";
    let error = io::Error::new(io::ErrorKind::NotSeekable, why);
    RecordingError::Read { path, error }
}

impl Iterator for Recording {
    type Item = Result<Event, RecordingError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.read().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}
