//! From the driver's records to events: names joined, paths turned.

mod handle;
mod image;
mod process;
mod snapshots;
mod thread;

use crate::event::{Body, Counts, Event, Hex, Lost, ProcessRef, SessionInfo, Stage, ThreadRef};
use crate::modules::Modules;
use crate::names::Names;
use crate::table::Table;
use crate::time::Time;
use ntwatch_protocol::lost;
use ntwatch_protocol::reader::Record;
use ntwatch_protocol::record::{Kind, RecordHeader};
use ntwatch_protocol::wide::Wide;
use snapshots::Newcomers;
use std::collections::VecDeque;
use std::sync::Arc;

/// Joins one stream.
pub(crate) struct Joiner {
    names: Names,
    table: Table,
    /// The images of the kernel.
    kernel: Modules,
    newcomers: Newcomers,
    /// The kinds that come out, a mask of [`Kind::bit`]. The others are only learnt from.
    shown: u32,
    /// The client's own sequence numbers.
    next_seq: u64,
    /// When the stream began.
    began: Time,
    /// Events that wait to be taken.
    out: VecDeque<Event>,
}

impl Joiner {
    pub(crate) fn new(names: Names, shown: u32, began: Time) -> Self {
        Self {
            names,
            table: Table::default(),
            kernel: Modules::default(),
            newcomers: Newcomers::default(),
            shown,
            next_seq: 0,
            began,
            out: VecDeque::new(),
        }
    }

    pub(crate) fn next(&mut self) -> Option<Event> {
        self.out.pop_front()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// Says who speaks.
    pub(crate) fn session(&mut self, session: SessionInfo) {
        self.say(Body::Session { session });
    }

    /// Joins one record. A kind that this version does not know is left out.
    pub(crate) fn record(&mut self, record: &Record<'_>) {
        let body = match record {
            Record::ProcessStart(start) => Body::ProcessStart(Box::new(self.process_start(start))),
            Record::ProcessExit(exit) => Body::ProcessExit(self.process_exit(exit)),
            Record::ThreadStart(start) => Body::ThreadStart(Box::new(self.thread_start(start))),
            Record::ThreadExit(exit) => Body::ThreadExit(Box::new(self.thread_exit(exit))),
            Record::ImageLoad(load) => Body::ImageLoad(Box::new(self.image_load(load))),
            Record::HandleOpen(open) => Body::HandleOpen(Box::new(self.handle_open(open))),
            Record::Lost(lost) => Body::Lost(self.lost(lost)),
            Record::Unknown(_) => return,
        };
        if body.kind().is_some_and(|kind| !self.shows(kind)) {
            return;
        }
        let RecordHeader { seq, time, .. } = *record.header();
        self.out.push_back(Event {
            seq,
            time: Time(time),
            body,
        });
    }

    /// Among the losses may be the end of any thread, and the next start with its tid.
    fn lost(&mut self, lost: &lost::Lost) -> Lost {
        let counts = Counts(lost.counts);
        let threads = [Kind::ThreadStart, Kind::ThreadExit];
        if threads.iter().any(|kind| counts.0[kind.index()] != 0) {
            self.table.forget_threads();
        }
        Lost {
            stage: match lost.stage {
                lost::stage::CAPTURE => Stage::Capture,
                _ => Stage::Session,
            },
            counts,
            first_seq: lost.first_seq,
            last_seq: lost.last_seq,
        }
    }

    const fn shows(&self, kind: Kind) -> bool {
        self.shown & kind.bit() != 0
    }

    fn reference(&mut self, pid: u32, key: Option<u64>) -> ProcessRef {
        ProcessRef {
            pid,
            key: key.map(Hex),
            image: self.image(pid, key),
        }
    }

    fn actor(&mut self, pid: u32, tid: u32, key: Option<u64>) -> ThreadRef {
        ThreadRef {
            pid,
            tid,
            key: key.map(Hex),
            image: self.image(pid, key),
        }
    }

    /// What a process is called. By key alone: the pid may have another bearer by now. Windows is
    /// asked once about a process of which nothing is known.
    fn image(&mut self, pid: u32, key: Option<u64>) -> Option<Arc<str>> {
        let process = (pid, key?);
        if let Some(known) = self.table.get(process) {
            return known.image.clone();
        }
        let image = self.names.of_process(process);
        self.table.answer(process, image.clone());
        image
    }

    /// Adds a line of the client's own.
    fn say(&mut self, body: Body) {
        self.out.push_back(Event {
            seq: self.next_seq,
            time: self.began,
            body,
        });
        self.next_seq += 1;
    }
}

/// The start key, if that is one: no process has 0.
fn start_key(key: u64) -> Option<u64> {
    (key != 0).then_some(key)
}

/// The text, with U+FFFD for a surrogate without partner.
fn text(wide: Wide<'_>) -> String {
    // Most of it is ASCII, which needs no look at one unit after the other.
    let all = wide.units().fold(0, |all, unit| all | unit);
    if all < 0x80 {
        let bytes = wide.units().map(|unit| unit as u8).collect();
        return String::from_utf8(bytes).unwrap_or_default();
    }
    wide.chars().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn text_is_what_utf_16_says(
            units in prop::collection::vec(prop_oneof![0..0x80u16, any::<u16>()], 0..40),
            ascii in prop::collection::vec(0..0x80u16, 0..40),
        ) {
            for units in [units, ascii] {
                let bytes: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
                prop_assert_eq!(text(Wide::new(&bytes)), String::from_utf16_lossy(&units));
            }
        }
    }
}
