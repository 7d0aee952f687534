//! A small machine to test against: a script of what it says, and no kernel behind it.
#![allow(dead_code, reason = "each test binary uses a part")]

pub(crate) mod commands;
pub(crate) mod fake;
pub(crate) mod machine;
#[cfg(unix)]
pub(crate) mod program;
pub(crate) mod records;
pub(crate) mod ring;
#[cfg(unix)]
pub(crate) mod sections;
#[cfg(unix)]
pub(crate) mod serve;
#[cfg(target_os = "linux")]
pub(crate) mod terminal;

use serde_json::Value;

/// Checks a line against the published schema.
pub(crate) fn assert_of_schema(line: &Value) {
    static SCHEMA: std::sync::LazyLock<jsonschema::Validator> = std::sync::LazyLock::new(|| {
        let schema = include_str!("../../schema/ntwatch-1.schema.json");
        let schema = serde_json::from_str(schema).expect("the schema is JSON");
        jsonschema::validator_for(&schema).expect("the schema is a schema")
    });
    if let Err(error) = SCHEMA.validate(line) {
        panic!("{line}\nis not of the schema: {error}");
    }
}
