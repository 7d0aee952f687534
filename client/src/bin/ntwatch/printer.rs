//! Events on standard output, in the shape that was asked for.

use crate::cli::{OutputOptions, Shape};
use crate::output::Output;
use crate::pretty::{Columns, Pretty};
use ntwatch_client::Event;
use ntwatch_client::format::{Csv, Ecs, JsonLines, Lines, Ocsf, Sysmon};
use std::io::{self, Write};

/// Writes events.
pub(crate) struct Printer {
    out: Output,
    lines: Box<dyn Lines>,
    /// What an event has become, before it goes anywhere.
    text: Vec<u8>,
    /// Bytes of those that went.
    written: u64,
}

impl Printer {
    pub(crate) fn new(options: &OutputOptions) -> io::Result<Self> {
        let mut out = Output::new();
        let width = out.width.filter(|_| !options.wide);
        let fields = options.fields();
        let mut lines: Box<dyn Lines> = match (options.format, fields.is_empty()) {
            (Shape::Pretty, true) => Box::new(Pretty::new(out.colours, width)),
            (Shape::Pretty, false) => Box::new(Columns::new(fields, out.colours, width)),
            (Shape::Jsonl, true) => Box::new(JsonLines::default()),
            (Shape::Jsonl, false) => Box::new(JsonLines::with_fields(fields)),
            (Shape::Csv, true) => Box::new(Csv::default()),
            (Shape::Csv, false) => Box::new(Csv::with_fields(fields)),
            (Shape::Ecs, _) => Box::new(Ecs::default()),
            (Shape::Ocsf, _) => Box::new(Ocsf::default()),
            (Shape::Sysmon, _) => Box::new(Sysmon::default()),
        };
        let mut text = Vec::new();
        lines.header(&mut text);
        out.write_all(&text)?;
        let written = text.len() as u64;
        Ok(Self {
            out,
            lines,
            text,
            written,
        })
    }

    pub(crate) fn print(&mut self, event: &Event) -> io::Result<()> {
        self.text.clear();
        self.lines.event(event, &mut self.text);
        self.written += self.text.len() as u64;
        self.out.write_all(&self.text)
    }

    /// Bytes of all that was printed.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Nothing more comes for now: what was printed is to be seen.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
