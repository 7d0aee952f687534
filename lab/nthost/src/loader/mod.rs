//! The image loader: maps x86-64 PE images and binds their imports, as Windows does for drivers.
//!
//! Data flows one way: [`Layout`] reads and checks the file, [`Mapping`] places it in memory,
//! [`Image`] binds the two to the rest of the machine.

mod image;
mod layout;
mod mapping;
mod modules;
mod symbols;
mod unwind;

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

pub use image::Image;
pub use layout::Layout;
pub use mapping::Mapping;
pub use modules::Modules;
pub(crate) use symbols::Symbols;

/// Why an image was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file could not be read.
    #[error("cannot read {path}: {source}; name a driver that `cargo xtask build` has made", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file is not an image that can be loaded.
    #[error(
        "{path} is not a driver for x64 that can be loaded: {reason}; build it anew with `cargo xtask build`",
        path = path.display()
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Imports that nothing provides.
    #[error(
        "{path} imports what this kernel does not have:{}\nadd these functions to lab/nthost, or build {path} without them",
        list(missing),
        path = path.display()
    )]
    Missing {
        /// The file.
        path: PathBuf,
        /// Each import as `module!function`, sorted.
        missing: Vec<String>,
    },
    /// The host refused memory.
    #[error("cannot map {path} ({size} bytes): {source}; free some memory and try again", path = path.display())]
    Map {
        /// The file.
        path: PathBuf,
        /// The image's size in memory, in bytes.
        size: usize,
        /// Why not.
        source: io::Error,
    },
}

fn list(missing: &[String]) -> String {
    missing.iter().fold(String::new(), |mut text, import| {
        let _ = write!(text, "\n  {import}");
        text
    })
}
