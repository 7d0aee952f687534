//! Events, written in one format.

use super::Format;
use crate::event::Event;
use crate::format::{Csv, JsonLines, Lines};
use std::io::{self, BufWriter, Write};

/// Bytes that are gathered before they are written.
const BUFFER: usize = 256 * 1024;

/// What a recorder writes to.
pub(super) type Out = Box<dyn Write + Send>;

/// Writes events to a file or a pipe.
pub(super) struct Writer {
    lines: Box<dyn Lines + Send>,
    /// What an event has become, before it goes anywhere.
    text: Vec<u8>,
    out: BufWriter<Out>,
    written: u64,
}

impl Writer {
    pub(super) fn new(format: Format, out: Out) -> io::Result<Self> {
        let lines: Box<dyn Lines + Send> = match format {
            Format::Jsonl => Box::new(JsonLines::default()),
            Format::Csv => Box::new(Csv::default()),
        };
        let mut writer = Self {
            lines,
            text: Vec::new(),
            out: BufWriter::with_capacity(BUFFER, out),
            written: 0,
        };
        writer.lines.header(&mut writer.text);
        writer.put()?;
        Ok(writer)
    }

    pub(super) fn write(&mut self, event: &Event) -> io::Result<()> {
        self.text.clear();
        self.lines.event(event, &mut self.text);
        self.put()
    }

    fn put(&mut self) -> io::Result<()> {
        self.out.write_all(&self.text)?;
        self.written += self.text.len() as u64;
        Ok(())
    }

    /// Bytes of all that was written.
    pub(super) const fn written(&self) -> u64 {
        self.written
    }

    /// Keeps nothing back.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Writes what stands behind the events.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.flush()
    }
}
