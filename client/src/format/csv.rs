//! Comma-separated values (RFC 4180): a column for each fact.

use super::Lines;
use crate::event::Event;
use crate::field::{Field, Value};

/// A record an event, behind a record with the names of the fields. A fact that an event has not is
/// an empty cell.
#[derive(Clone, Debug)]
pub struct Csv {
    fields: Vec<&'static Field>,
}

impl Default for Csv {
    /// Of every field.
    fn default() -> Self {
        Self::with_fields(Field::all())
    }
}

impl Csv {
    /// These columns, in this order.
    #[must_use]
    pub fn with_fields(fields: impl IntoIterator<Item = &'static Field>) -> Self {
        let fields = fields.into_iter().collect();
        Self { fields }
    }
}

impl Lines for Csv {
    fn header(&mut self, out: &mut Vec<u8>) {
        record(self.fields.iter().map(|field| field.name), out);
    }

    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        let cell = |fact: Option<Value<'_>>| fact.map(|fact| fact.to_string());
        let cells = self.fields.iter().map(|field| cell(field.of(event)));
        record(cells.map(Option::unwrap_or_default), out);
    }
}

fn record(cells: impl IntoIterator<Item = impl AsRef<[u8]>>, out: &mut Vec<u8>) {
    let mut writer = ::csv::WriterBuilder::new()
        .buffer_capacity(1024)
        .from_writer(&mut *out);
    let written = writer
        .write_record(cells)
        .and_then(|()| Ok(writer.flush()?));
    // Memory takes every byte, and this is the writer's only record.
    debug_assert!(written.is_ok(), "{written:?}");
}
