//! Holds the kit of `lab/wdk` and the images built with it against what Microsoft published: the
//! KMDF 1.31 headers (as facts in `lab/wdk/facts`) and the metadata of the WDK (as the crate
//! `windows-sys`).
//!
//! `cargo xtask test` builds the images first and says where they and the bindings are.

pub mod layouts;
pub mod metadata;

use std::{env, fs, path::PathBuf};

use serde_json::Value;

/// The facts read off the public KMDF 1.31 headers.
///
/// # Panics
/// When the file is not JSON.
#[must_use]
pub fn kmdf_facts() -> Value {
    serde_json::from_str(include_str!("../../facts/kmdf-1.31.json")).expect("JSON")
}

/// The types that bindgen made of the kit's headers, as Rust source.
///
/// # Panics
/// When `cargo xtask test` did not say where they are.
#[must_use]
pub fn bindings() -> String {
    let directory = env!("NTWATCH_WDK_BINDINGS");
    fs::read_to_string(PathBuf::from(directory).join("types.rs")).expect("wdk-sys's bindings")
}

/// The path of an image, by the name that `cargo xtask build --json` has.
///
/// # Panics
/// When `cargo xtask test` did not say where it is.
#[must_use]
pub fn image(name: &str) -> PathBuf {
    let lab = fs::read_to_string(env::var("NTWATCH_LAB").expect("NTWATCH_LAB")).expect("the lab");
    let lab: Value = serde_json::from_str(&lab).expect("JSON");
    lab[name].as_str().expect("a path").into()
}
