//! What Unix tells a program.

use super::Event;
use std::io;

/// Calls `tell` with each SIGINT, SIGTERM and SIGHUP. Can be had once.
pub(super) fn on_event(tell: impl Fn(Event) + Send + 'static) -> io::Result<()> {
    ctrlc::set_handler(move || tell(Event::Interrupted)).map_err(io::Error::other)
}
