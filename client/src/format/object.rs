//! JSON objects, filled place by place.

use serde_json::{Map, Value};

/// An object in the making. What is not known has no place in it, neither have empty texts,
/// lists and objects.
#[derive(Debug, Default)]
pub(super) struct Object(Map<String, Value>);

impl Object {
    /// Puts a value at its place, if it says anything.
    pub(super) fn put(&mut self, place: &str, value: impl Into<Value>) {
        let value = value.into();
        if !is_empty(&value) {
            put(&mut self.0, place, value);
        }
    }

    /// As [`Self::put`], if there is a value.
    pub(super) fn put_known(&mut self, place: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.put(place, value);
        }
    }

    /// Takes away what stands at a place of this very object.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name)
    }

    /// Adds the object, as a line.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let written = serde_json::to_writer(&mut *out, &self.0);
        // Memory takes every byte.
        debug_assert!(written.is_ok(), "{written:?}");
        out.push(b'\n');
    }
}

impl From<Object> for Value {
    fn from(Object(map): Object) -> Self {
        Self::Object(map)
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Puts a value at its place: `a.b` is `b` of the object `a`.
pub(super) fn put(object: &mut Map<String, Value>, place: &str, value: Value) {
    match place.split_once('.') {
        None => drop(object.insert(place.to_owned(), value)),
        Some((outer, inner)) => {
            let entry = object.entry(outer).or_insert_with(|| Map::new().into());
            if let Value::Object(object) = entry {
                put(object, inner, value);
            }
        }
    }
}
