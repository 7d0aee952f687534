//! Events as lines of text, for other tools.

mod csv;
mod ecs;
mod guid;
mod jsonl;
mod memory;
mod object;
mod ocsf;
mod parts;
mod sysmon;

pub use csv::Csv;
pub use ecs::Ecs;
pub use jsonl::JsonLines;
pub use ocsf::Ocsf;
pub use sysmon::Sysmon;

use crate::event::{Event, Lost, Stage};

/// Makes lines of a stream's events, in their order.
pub trait Lines {
    /// Adds what stands before the events.
    fn header(&mut self, out: &mut Vec<u8>) {
        let _ = out;
    }

    /// Adds what stands for an event: lines with their ends, or nothing.
    fn event(&mut self, event: &Event, out: &mut Vec<u8>);
}

/// What a line says where events are missing.
fn lost_message(lost: &Lost) -> String {
    let why = match lost.stage {
        Stage::Capture => "before any client could have them: the driver's capture ring was full",
        Stage::Session => "because they were not read fast enough: the session's ring was full",
    };
    format!("{} events were lost {why}", lost.counts.total())
}
