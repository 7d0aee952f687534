//! What the worker makes of a record in the capture ring: an event as clients read it.

mod handle;
mod image;
mod known;
mod process;
mod thread;

use crate::event::{Event, Party, What};
use crate::facts::System;
use crate::memory::{OutOfMemory, collect};
use crate::process_table::ProcessId;
use alloc::vec::Vec;
use known::KnownProcesses;
use ntwatch_protocol::record::{Kind, MAX_RECORD_SIZE, RecordHeader};
use ntwatch_protocol::writer::Writer;
use zerocopy::FromBytes;

/// Builds one event at a time.
#[derive(Debug)]
pub(crate) struct Enricher {
    processes: KnownProcesses,
    record: Vec<u8>,
}

impl Enricher {
    pub(crate) fn new() -> Result<Self, OutOfMemory> {
        Ok(Self {
            processes: KnownProcesses::new()?,
            record: collect(MAX_RECORD_SIZE, core::iter::repeat(0))?,
        })
    }

    /// The event that `form` tells of, with number `seq`; with the images of the processes that it
    /// is about if `images` says so. `None` for a form that no callback of this driver writes.
    pub(crate) fn event(
        &mut self,
        kind: Kind,
        form: &[u8],
        seq: u64,
        images: bool,
        system: &impl System,
    ) -> Option<Event<'_>> {
        match kind {
            Kind::ProcessStart => self.process_start(form, seq, system),
            Kind::ProcessExit => self.process_exit(form, seq, system),
            Kind::ThreadStart => self.thread_start(form, seq, images, system),
            Kind::ThreadExit => self.thread_exit(form, seq, images, system),
            Kind::ImageLoad => self.image_load(form, seq, images, system),
            Kind::HandleOpen => self.handle_open(form, seq, images, system),
            Kind::Lost => None,
        }
    }

    /// The event in `self.record`, about processes of which an image is to be looked for.
    fn event_about(
        &mut self,
        what: What,
        about: [Option<ProcessId>; 2],
        images: bool,
        system: &impl System,
    ) -> Option<Event<'_>> {
        if images {
            // All before any is looked at: what is asked for last does not give way.
            for id in about.iter().flatten() {
                self.processes.find_image(*id, system);
            }
        }
        let Self { processes, record } = self;
        let (header, _) = RecordHeader::read_from_prefix(record).ok()?;
        let party = |id: ProcessId| Party {
            id,
            image: processes.image(id).filter(|_| images),
        };
        Some(Event {
            what,
            about: about.map(|id| id.map(party)),
            time: header.time,
            seq: header.seq,
            record: record.get(..header.size as usize)?,
        })
    }

    /// Makes a form that is a record already the one with number `seq`.
    fn number(&mut self, form: &[u8], seq: u64) -> Option<&[u8]> {
        let record = self.record.get_mut(..form.len())?;
        for (to, from) in record.iter_mut().zip(form) {
            *to = *from;
        }
        let (header, _) = RecordHeader::mut_from_prefix(record).ok()?;
        header.seq = seq;
        Some(record)
    }
}

/// How the record begins that `writer` is done with but for its fixed part.
fn header(writer: &Writer<'_>, kind: Kind, seq: u64, time: i64) -> RecordHeader {
    RecordHeader {
        size: writer.size(),
        kind: kind as u16,
        reserved: 0,
        seq,
        time,
    }
}

/// A bit of a set of flags.
const fn bit(is: bool, bit: u32) -> u32 {
    if is { bit } else { 0 }
}
