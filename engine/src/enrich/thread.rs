//! Thread start and exit.

use super::{Enricher, header};
use crate::event::{Event, What};
use crate::facts::System;
use crate::form::{self, ThreadStart, bit};
use crate::process_table::ProcessId;
use ntwatch_protocol::process::subsystem;
use ntwatch_protocol::reader::{Record, Records};
use ntwatch_protocol::record::Kind;
use ntwatch_protocol::thread::{self, flags, known};
use ntwatch_protocol::writer::Writer;

impl Enricher {
    pub(super) fn thread_start(
        &mut self,
        form: &[u8],
        seq: u64,
        images: bool,
        seen_since: i64,
        system: &impl System,
    ) -> Option<Event<'_>> {
        let start = ThreadStart::read(form)?;
        let thread = form::object(Kind::ThreadStart, form);
        let (process, creator) = (start.process(), start.creator());
        // Always, as the first thread's mark is taken away by it.
        let is_first = self.processes.is_first_thread(process, creator);
        // A process whose start was not seen has threads already, unless its start should have
        // been seen: it was lost. (Or it was just about to create the first when somebody began to
        // listen. That moment is not told from any earlier one.)
        let ran_before = || {
            let created = system.process_create_time(thread?)?;
            (created < seen_since).then_some(true)
        };
        let remote = match start.pid == start.creator_pid {
            true => Some(false),
            false => is_first.map(|is_first| !is_first).or_else(ran_before),
        };
        let is_win32 = self.processes.is_win32(process);
        let facts = thread
            .map(|thread| system.thread_facts(thread, !is_win32))
            .unwrap_or_default();
        let subsystem = facts.subsystem.or(is_win32.then_some(subsystem::WIN32));
        let writer = Writer::new::<thread::ThreadStart>(&mut self.record).ok()?;
        let record = thread::ThreadStart {
            header: header(&writer, Kind::ThreadStart, seq, start.time),
            key: process.key,
            creator_key: creator.key,
            start_address: facts.start_address.unwrap_or(0),
            pid: start.pid,
            tid: start.tid,
            creator_pid: start.creator_pid,
            creator_tid: start.creator_tid,
            known: bit(start.key.is_some(), known::KEY)
                | bit(start.creator_key.is_some(), known::CREATOR_KEY)
                | bit(facts.start_address.is_some(), known::START_ADDRESS)
                | bit(subsystem.is_some(), known::SUBSYSTEM)
                | bit(remote.is_some(), known::REMOTE),
            flags: bit(remote == Some(true), flags::REMOTE),
            subsystem: subsystem.unwrap_or(0),
            reserved: 0,
        };
        writer.finish(&record).ok()?;
        let about = [Some(process), Some(creator)];
        self.event_about(What::ThreadStart { remote }, about, images, system)
    }

    pub(super) fn thread_exit(
        &mut self,
        form: &[u8],
        seq: u64,
        images: bool,
        system: &impl System,
    ) -> Option<Event<'_>> {
        let Some(Ok(Record::ThreadExit(exit))) = Records::new(self.number(form, seq)?).next()
        else {
            return None;
        };
        let process = ProcessId {
            pid: exit.pid,
            key: exit.key,
        };
        self.event_about(What::ThreadExit, [Some(process), None], images, system)
    }
}
