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
            None => sonic_rs::to_writer(&mut *out, event),
            Some(fields) => sonic_rs::to_writer(&mut *out, &facts(event, fields)),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Body, Hex, SCHEMA, SessionInfo};
    use crate::time::Time;
    use proptest::prelude::*;

    proptest! {
        /// Escapes are chosen, so that the bytes are the same from whichever library.
        #[test]
        fn any_text_is_escaped_as_serde_json_does(host in r#"([\x00-\x7f]|\\|"|\PC){0,80}"#) {
            let session = SessionInfo {
                driver_load_id: Hex(1),
                boot_time: None,
                host,
                schema: SCHEMA,
                driver_version: String::new(),
                client_version: "".into(),
            };
            let event = Event {
                seq: 0,
                time: Time(0),
                body: Body::Session { session },
            };
            let mut line = Vec::new();
            JsonLines::default().event(&event, &mut line);
            let same = serde_json::to_string(&event).unwrap() + "\n";
            prop_assert_eq!(String::from_utf8(line).unwrap(), same);
        }
    }
}
