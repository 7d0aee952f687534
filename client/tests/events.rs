//! Events as JSON, and back.

#[path = "common/events.rs"]
mod events;

use ntwatch_client::event::{Event, ReadError};
use ntwatch_client::field::{Field, Type, Value};
use proptest::prelude::*;
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// The leaves of a line of JSON that are known, by their place; the counts of `lost` are one.
fn leaves(json: &Json, place: &str, leaves: &mut BTreeMap<String, String>) {
    match json {
        Json::Null => {}
        Json::Object(object) if place != "lost" => {
            for (name, value) in object {
                let dot = if place.is_empty() { "" } else { "." };
                self::leaves(value, &format!("{place}{dot}{name}"), leaves);
            }
        }
        Json::String(text) => drop(leaves.insert(place.to_owned(), text.clone())),
        other => drop(leaves.insert(place.to_owned(), other.to_string())),
    }
}

proptest! {
    #[test]
    fn an_event_that_was_written_is_read_again(event in events::event()) {
        let line = serde_json::to_string(&event).unwrap();
        let read = Event::from_json(&line).unwrap();
        prop_assert_eq!(serde_json::to_string(&read).unwrap(), line);
    }

    #[test]
    fn every_fact_in_the_json_is_a_field_and_no_other_is(event in events::event()) {
        let json = serde_json::to_value(&event).unwrap();
        let mut expected = BTreeMap::new();
        leaves(&json, "", &mut expected);
        let fields: BTreeMap<_, _> = Field::all()
            .iter()
            .filter_map(|field| {
                let text = match field.of(&event)? {
                    Value::Counts(counts) => serde_json::to_value(counts).unwrap().to_string(),
                    value => value.to_string(),
                };
                Some((field.name.to_owned(), text))
            })
            .collect();
        prop_assert_eq!(fields, expected);
    }

    #[test]
    fn a_fact_is_of_the_type_that_its_field_says(event in events::event()) {
        for field in Field::all() {
            let kind = match field.of(&event) {
                Some(Value::Number(_)) => Type::Number,
                Some(Value::Hex(_)) => Type::Hex,
                Some(Value::Bool(_)) => Type::Bool,
                Some(Value::Text(_)) => Type::Text,
                Some(Value::Time(_)) => Type::Time,
                Some(Value::Counts(_)) => Type::Counts,
                None => continue,
            };
            prop_assert_eq!(kind, field.kind, "{}", field.name);
        }
    }

    #[test]
    fn whatever_the_line_says_it_is_an_event_or_an_error(line in "\\PC{0,60}", event in events::event()) {
        let _ = Event::from_json(&line);
        let whole = serde_json::to_string(&event).unwrap();
        // Cut off anywhere, it is no event.
        for end in whole.char_indices().map(|(at, _)| at).step_by(7) {
            prop_assert!(Event::from_json(&whole[..end]).is_err());
        }
    }
}

#[test]
fn an_event_of_a_later_schema_is_named() {
    let line = r#"{"seq":1,"time":"2026-11-22T03:03:27Z","event":"registry_set"}"#;
    let error = Event::from_json(line).unwrap_err();
    assert!(matches!(&error, ReadError::Kind(kind) if kind == "registry_set"));
    assert_eq!(
        error.to_string(),
        r#"there is no event "registry_set" in schema 1"#
    );
}
