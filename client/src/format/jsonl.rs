//! JSON Lines, schema 1 (`schema/ntwatch-1.schema.json`).

use super::{Lines, object};
use crate::event::Event;
use crate::field::Field;
use serde_json::{Map, Value};

/// An object a line: an event, or some of its facts.
#[derive(Clone, Debug, Default)]
pub struct JsonLines {
    fields: Option<Vec<&'static Field>>,
}

impl JsonLines {
    /// Of each event only these facts, at their places; `null` for those that it has not.
    #[must_use]
    pub fn with_fields(fields: impl IntoIterator<Item = &'static Field>) -> Self {
        let fields = Some(fields.into_iter().collect());
        Self { fields }
    }
}

impl Lines for JsonLines {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        let written = match &self.fields {
            None => serde_json::to_writer(&mut *out, event),
            Some(fields) => serde_json::to_writer(&mut *out, &facts(event, fields)),
        };
        // Memory takes every byte, and events are made of what JSON has.
        debug_assert!(written.is_ok(), "{written:?}");
        out.push(b'\n');
    }
}

/// An object with these facts alone.
fn facts(event: &Event, fields: &[&'static Field]) -> Map<String, Value> {
    let mut facts = Map::new();
    for field in fields {
        let fact = field.of(event).map_or(Value::Null, |fact| fact.to_json());
        object::put(&mut facts, field.name, fact);
    }
    facts
}
