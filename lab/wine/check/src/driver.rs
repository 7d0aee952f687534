//! The driver, which Wine loads.

use crate::{Wine, text};
use std::process::Output;
use std::thread;

/// The driver, installed and loaded, and gone in the end.
#[derive(Debug)]
pub struct Driver<'a> {
    wine: &'a Wine,
}

impl<'a> Driver<'a> {
    /// Installs it and has it loaded, as a user does.
    ///
    /// # Panics
    /// When either fails.
    #[must_use]
    pub fn load(wine: &'a Wine) -> Self {
        assert_ends(&wine.ntwatch(&["install"]), 0, &["`ntwatch start`"]);
        assert_ends(&wine.ntwatch(&["start"]), 0, &["The driver is loaded"]);
        Self { wine }
    }
}

impl Drop for Driver<'_> {
    fn drop(&mut self) {
        let stop = self.wine.ntwatch(&["stop"]);
        let uninstall = self.wine.ntwatch(&["uninstall"]);
        if !thread::panicking() {
            assert_ends(&stop, 0, &["The driver"]);
            assert_ends(&uninstall, 0, &["is uninstalled"]);
        }
    }
}

/// Checks how a program ended, and that it says all of this: on standard output if it succeeded.
///
/// # Panics
/// If not.
pub fn assert_ends(output: &Output, code: i32, says: &[&str]) {
    let (said, errors) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{said}{errors}");
    let said = if code == 0 { said } else { errors };
    for word in says {
        assert!(said.contains(word), "not a word of {word:?} in:\n{said}");
    }
}
