//! Ctrl+C, and whatever else asks a program to end.

#[cfg(unix)]
mod signals;
#[cfg(unix)]
use signals as events;
#[cfg(windows)]
mod console;
#[cfg(windows)]
use console as events;

use crate::failure::Failure;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a shell reports for a program that Ctrl+C has ended.
const INTERRUPTED: i32 = 130;

/// The first Ctrl+C asks to `stop`; the second one ends the program, which may be stuck where a pipe
/// is full or empty.
///
/// SIGTERM and SIGHUP are the same on Unix, Ctrl+Break on Windows. A console that is closed asks to
/// `stop`.
pub(crate) fn on_interrupt(stop: impl Fn() + Send + Sync + 'static) -> Result<(), Failure> {
    let asked = AtomicBool::new(false);
    events::on_event(move |event| {
        if !asked.swap(true, Ordering::Relaxed) {
            stop();
        } else if event == Event::Interrupted {
            std::process::exit(INTERRUPTED);
        }
    })
    .map_err(Failure::Signals)
}

/// What was told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Event {
    Interrupted,
    /// Windows ends the program itself if it takes too long.
    #[cfg(windows)]
    Closed,
}
