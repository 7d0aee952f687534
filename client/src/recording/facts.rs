//! From single facts to an event.

use crate::event::{Event, Hex, ReadError};
use crate::field::{Field, Value};
use serde::Serialize;

/// A line of JSON, put together fact by fact, in the order of [`Field::all`].
#[derive(Default)]
pub(super) struct Facts {
    line: Vec<u8>,
    /// The objects that the last fact is in, from the outermost.
    open: Vec<&'static str>,
}

impl Facts {
    /// Adds what an event has.
    pub(super) fn put(&mut self, field: &Field, value: &Value<'_>) {
        let mut place = field.name.rsplit('.');
        let name = place.next().unwrap_or_default();
        let depth = place.count();
        let objects = || field.name.split('.').take(depth);
        let common = self.open.iter().zip(objects()).take_while(|(a, b)| *a == b);
        self.close(common.count());
        for object in objects().skip(self.open.len()) {
            self.name(object);
            self.line.push(b'{');
            self.open.push(object);
        }
        self.name(name);
        match value {
            Value::Number(number) => self.json(number),
            Value::Hex(number) => self.json(&Hex(*number)),
            Value::Bool(truth) => self.json(truth),
            Value::Text(text) => self.json(text),
            Value::Time(time) => self.json(time),
            Value::Counts(counts) => self.json(counts),
        }
    }

    /// The event that has these facts, and no others that could be missing. Begins anew.
    pub(super) fn event(&mut self) -> Result<Event, ReadError> {
        self.close(0);
        if self.line.is_empty() {
            self.line.push(b'{');
        }
        self.line.push(b'}');
        let event = Event::from_json(&String::from_utf8_lossy(&self.line));
        self.line.clear();
        event
    }

    /// Closes objects until there are `depth`.
    fn close(&mut self, depth: usize) {
        while self.open.len() > depth {
            self.open.pop();
            self.line.push(b'}');
        }
    }

    fn json(&mut self, value: &impl Serialize) {
        let written = serde_json::to_writer(&mut self.line, value);
        // Memory takes every byte, and facts are made of what JSON has.
        debug_assert!(written.is_ok(), "{written:?}");
    }

    fn name(&mut self, name: &'static str) {
        match self.line.last() {
            None => self.line.push(b'{'),
            Some(b'{') => {}
            Some(_) => self.line.push(b','),
        }
        self.line.push(b'"');
        self.line.extend_from_slice(name.as_bytes());
        self.line.extend_from_slice(b"\":");
    }
}
