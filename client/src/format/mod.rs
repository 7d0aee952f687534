//! Events as lines of text, for other tools.

mod csv;
mod guid;
mod jsonl;
mod memory;
mod sysmon;

pub use csv::Csv;
pub use jsonl::JsonLines;
pub use sysmon::Sysmon;

use crate::event::Event;

/// Makes lines of a stream's events, in their order.
pub trait Lines {
    /// Adds what stands before the events.
    fn header(&mut self, out: &mut Vec<u8>) {
        let _ = out;
    }

    /// Adds what stands for an event: lines with their ends, or nothing.
    fn event(&mut self, event: &Event, out: &mut Vec<u8>);
}
