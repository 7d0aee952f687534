//! Holds the kit of `lab/wdk` and the images built with it against what Microsoft published: the
//! KMDF 1.31 headers (as facts in `lab/wdk/facts`) and the metadata of the WDK (as the crate
//! `windows-sys`).
//!
//! `cargo xtask test` builds the images first and says where they and the bindings are. The tests
//! read whatever images the file lists that `NTWATCH_LAB` names when they run, with PDB and map
//! beside them: another driver, one with a planted bug, is checked by another such file.
//!
//! - [`layouts`], [`metadata`]: the kit's structures and functions. [`known`]: what the driver imports.
//! - [`pe`], [`checksum`], [`symbols`]: what an image says of itself. [`flow`] follows control through
//!   one function, [`program`] through all of them, and [`stack`] adds up what their frames take, by
//!   [`unwind`] data.

pub mod checksum;
pub mod flow;
pub mod known;
pub mod layouts;
pub mod metadata;
pub mod pe;
pub mod program;
pub mod stack;
pub mod symbols;
pub mod unwind;

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

/// An image, by the same name.
///
/// # Panics
/// As [`image`], and when the file cannot be read.
#[must_use]
pub fn read(name: &str) -> Vec<u8> {
    fs::read(image(name)).expect("the image")
}

/// The linker's map of the driver.
///
/// # Panics
/// As [`image`], and when the file cannot be read.
#[must_use]
pub fn linker_map() -> String {
    fs::read_to_string(image("driver").with_extension("map")).expect("the driver's map")
}
