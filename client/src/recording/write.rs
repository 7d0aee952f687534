//! Events, written in one format.

use super::Format;
use super::parquet::ParquetWriter;
use crate::event::Event;
use crate::format::{Csv, JsonLines, Lines};
use std::io::{self, BufWriter, Write};

/// Bytes that are gathered before they are written.
const BUFFER: usize = 256 * 1024;

/// What a recorder writes to.
pub(super) type Out = Box<dyn Write + Send>;

/// Writes events to a file or a pipe.
pub(super) enum Writer {
    Text(Text),
    Parquet(Box<ParquetWriter>),
}

impl Writer {
    pub(super) fn new(format: Format, out: Out) -> io::Result<Self> {
        Ok(match format {
            Format::Jsonl => Self::Text(Text::new(Box::new(JsonLines::default()), out)?),
            Format::Csv => Self::Text(Text::new(Box::new(Csv::default()), out)?),
            Format::Parquet => Self::Parquet(Box::new(ParquetWriter::new(out)?)),
        })
    }

    pub(super) fn write(&mut self, event: &Event) -> io::Result<()> {
        match self {
            Self::Text(text) => text.write(event),
            Self::Parquet(parquet) => parquet.write(event),
        }
    }

    /// Bytes of all that was written.
    pub(super) fn written(&self) -> u64 {
        match self {
            Self::Text(text) => text.written,
            Self::Parquet(parquet) => parquet.written(),
        }
    }

    /// Keeps nothing back that can be written now.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Text(text) => text.out.flush(),
            Self::Parquet(parquet) => parquet.flush(),
        }
    }

    /// Writes what stands behind the events.
    pub(super) fn finish(self) -> io::Result<()> {
        match self {
            Self::Text(mut text) => text.out.flush(),
            Self::Parquet(parquet) => parquet.finish(),
        }
    }
}

/// Writes lines.
pub(super) struct Text {
    lines: Box<dyn Lines + Send>,
    /// What an event has become, before it goes anywhere.
    text: Vec<u8>,
    out: BufWriter<Out>,
    written: u64,
}

impl Text {
    fn new(lines: Box<dyn Lines + Send>, out: Out) -> io::Result<Self> {
        let mut text = Self {
            lines,
            text: Vec::new(),
            out: BufWriter::with_capacity(BUFFER, out),
            written: 0,
        };
        text.lines.header(&mut text.text);
        text.put()?;
        Ok(text)
    }

    fn write(&mut self, event: &Event) -> io::Result<()> {
        self.text.clear();
        self.lines.event(event, &mut self.text);
        self.put()
    }

    fn put(&mut self) -> io::Result<()> {
        self.out.write_all(&self.text)?;
        self.written += self.text.len() as u64;
        Ok(())
    }
}
