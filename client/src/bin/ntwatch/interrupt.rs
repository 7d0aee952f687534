//! Ctrl+C.

use crate::failure::Failure;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a shell reports for a program that Ctrl+C has ended.
const INTERRUPTED: i32 = 130;

/// The first Ctrl+C asks to `stop`; the second one ends the program, which may be stuck where a pipe
/// is full or empty.
pub(crate) fn on_interrupt(stop: impl Fn() + Send + 'static) -> Result<(), Failure> {
    let again = AtomicBool::new(false);
    ctrlc::set_handler(move || {
        if again.swap(true, Ordering::Relaxed) {
            std::process::exit(INTERRUPTED);
        }
        stop();
    })
    .map_err(Failure::Signals)
}
