//! What the worker makes of a record in the capture ring: an event as clients read it.

mod handle;
mod image;
mod known;
mod process;
mod thread;

use crate::capture::Capture;
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
    /// is about if a filter asks for them. `None` for a form that no callback of this driver
    /// writes.
    pub(crate) fn event(
        &mut self,
        kind: Kind,
        form: &[u8],
        seq: u64,
        capture: &Capture,
        system: &impl System,
    ) -> Option<Event<'_>> {
        let images = capture.wants_images();
        match kind {
            Kind::ProcessStart => self.process_start(form, seq, system),
            Kind::ProcessExit => self.process_exit(form, seq, system),
            Kind::ThreadStart => self.thread_start(form, seq, images, capture.seen_since(), system),
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

#[cfg(test)]
mod tests {
    use super::Enricher;
    use crate::capture::{Capture, Listening};
    use crate::form::ImageLoad;
    use crate::testing::Silent;
    use ntwatch_protocol::reader::Records;
    use ntwatch_protocol::record::Kind;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    /// Bytes, or an image load with one of them changed.
    fn form() -> impl Strategy<Value = Vec<u8>> {
        let load = ImageLoad {
            pid: 8,
            key: Some(1),
            time: 2,
            base: 3,
            size: 4,
            flags: 0,
            signature_level: 0,
            signature_type: 0,
            name: Some(&[b'x'; 32]),
        };
        let mut form = vec![0; load.size()];
        load.write(0, &mut form).unwrap();
        let changed = (0..form.len(), any::<u8>()).prop_map(move |(at, byte)| {
            let mut form = form.clone();
            form[at] = byte;
            form
        });
        prop_oneof![changed, prop::collection::vec(any::<u8>(), 0..200)]
    }

    proptest! {
        #[test]
        fn bytes_that_no_callback_wrote_become_a_record_or_nothing(
            kind in prop::sample::select(&Kind::EVENTS[..]),
            form in form(),
            images: bool,
        ) {
            let capture = Capture::new();
            capture.listen(&Listening { images, ..Listening::default() }, 0);
            let mut enricher = Enricher::new().unwrap();
            if let Some(event) = enricher.event(kind, &form, 9, &capture, &Silent) {
                let record = Records::new(event.record).next().unwrap().unwrap();
                let header = record.header();
                prop_assert_eq!(header.size as usize, event.record.len());
                prop_assert_eq!(header.kind, kind as u16);
                prop_assert_eq!((header.seq, header.time), (9, event.time));
            }
        }
    }
}
