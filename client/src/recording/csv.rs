//! Comma-separated values, read.

use super::cut_off::Rest;
use super::error::{Fault, Place, why};
use super::facts::Facts;
use super::next::Next;
use crate::event::Counts;
use crate::field::{Field, Type, Value};
use ::csv::{ByteRecord, Reader, ReaderBuilder};
use std::io::{self, Read};
use std::str;

/// Events of records, behind a record that names the fields.
pub(super) struct Csv<R> {
    reader: Reader<Watched<R>>,
    record: ByteRecord,
    /// The cells that are facts, in the order of the facts.
    columns: Vec<(&'static Field, usize)>,
    /// Cells of the header.
    width: usize,
    facts: Facts,
}

impl<R: Read> Csv<R> {
    /// Reads the header.
    pub(super) fn new(from: R) -> Result<Self, Fault> {
        let from = Watched {
            from,
            passed: 0,
            last: b'\n',
        };
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(from);
        let mut record = ByteRecord::new();
        reader.read_byte_record(&mut record).map_err(fault)?;
        let place = |field: &Field| {
            let mut cells = record.iter();
            cells.position(|cell| cell == field.name.as_bytes())
        };
        let columns: Vec<_> = Field::all()
            .iter()
            .filter_map(|field| Some((field, place(field)?)))
            .collect();
        if columns.is_empty() && !record.is_empty() {
            let why = "this line should name the facts that the cells below it are".to_owned();
            return Err(Fault::Damaged(Place::Line(1), why));
        }
        Ok(Self {
            reader,
            width: record.len(),
            record,
            columns,
            facts: Facts::default(),
        })
    }

    pub(super) fn next(&mut self) -> Result<Next, Fault> {
        let began = self.reader.position().clone();
        if !self
            .reader
            .read_byte_record(&mut self.record)
            .map_err(fault)?
        {
            return Ok(Next::End);
        }
        let line = self.record.position().map_or(0, ::csv::Position::line);
        if self.record.len() == self.width && self.is_ended() {
            return self.event(line);
        }
        // An end of the file here is the recording's; else it is the line that is wrong.
        let ended = self.reader.position().byte();
        let (cells, width) = (self.record.len(), self.width);
        if self
            .reader
            .read_byte_record(&mut self.record)
            .map_err(fault)?
        {
            let why = format!("there are {cells} cells, and {width} facts are named above");
            return Err(Fault::Damaged(Place::Line(line), why));
        }
        let bytes = usize::try_from(ended - began.byte()).unwrap_or(usize::MAX);
        Ok(Next::CutOff(Rest::Line { line, bytes }))
    }

    /// Has the record that was read last its end?
    fn is_ended(&self) -> bool {
        let Watched { passed, last, .. } = *self.reader.get_ref();
        self.reader.position().byte() < passed || matches!(last, b'\r' | b'\n')
    }

    /// Bytes of all records.
    pub(super) fn passed(&self) -> u64 {
        self.reader.position().byte()
    }

    fn event(&mut self, line: u64) -> Result<Next, Fault> {
        for (field, nth) in &self.columns {
            let cell = self.record.get(*nth).unwrap_or_default();
            if !cell.is_empty() {
                let value = value(field, cell).ok_or_else(|| {
                    let cell = String::from_utf8_lossy(cell);
                    let why = format!("{} cannot be {cell:?}", field.name);
                    Fault::Damaged(Place::Line(line), why)
                })?;
                self.facts.put(field, &value);
            }
        }
        let event = self.facts.event();
        event
            .map(Next::Event)
            .map_err(|error| Fault::Damaged(Place::Line(line), why(&error)))
    }
}

/// The fact that a cell holds.
fn value<'c>(field: &Field, cell: &'c [u8]) -> Option<Value<'c>> {
    let cell = str::from_utf8(cell).ok()?;
    Some(match field.kind {
        Type::Number => Value::Number(cell.parse().ok()?),
        Type::Bool => Value::Bool(cell.parse().ok()?),
        Type::Counts => Value::Counts(serde_json::from_str::<Counts>(cell).ok()?),
        // The event's own reader knows what they may be.
        Type::Text | Type::Hex | Type::Time => Value::Text(cell.into()),
    })
}

/// Records may have any length, and bytes are bytes: only reading can fail.
fn fault(error: ::csv::Error) -> Fault {
    match error.into_kind() {
        ::csv::ErrorKind::Io(error) => Fault::Io(error),
        other => Fault::Io(io::Error::other(format!("{other:?}"))),
    }
}

/// Knows what was read last.
struct Watched<R> {
    from: R,
    passed: u64,
    last: u8,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let len = self.from.read(to)?;
        self.passed += len as u64;
        if let Some(last) = to[..len].last() {
            self.last = *last;
        }
        Ok(len)
    }
}
