//! What the worker makes of a record in the capture ring: an event as clients read it.

use crate::facts::{Facts, System};
use crate::filter::Subject;
use crate::form::{FormHeader, ProcessExit, ProcessStart};
use crate::memory::{OutOfMemory, collect, copy_of};
use crate::process_table::ProcessTable;
use crate::session::Event;
use alloc::vec::Vec;
use ntwatch_protocol::process::{self, flags, known};
use ntwatch_protocol::reader::{Record, Records};
use ntwatch_protocol::record::{Kind, MAX_RECORD_SIZE, RecordHeader};
use ntwatch_protocol::wide::Wide;
use ntwatch_protocol::writer::{NoRoom, Writer};

/// Sets of the process table: 8192 processes.
const PROCESS_SETS: usize = 1024;

/// Builds one event at a time.
#[derive(Debug)]
pub(crate) struct Enricher {
    processes: ProcessTable,
    record: Vec<u8>,
}

impl Enricher {
    pub(crate) fn new() -> Result<Self, OutOfMemory> {
        Ok(Self {
            processes: ProcessTable::new(PROCESS_SETS)?,
            record: collect(MAX_RECORD_SIZE, core::iter::repeat(0))?,
        })
    }

    /// The event that `form` tells of, with number `seq`. `None` for a form that no callback
    /// of this driver writes.
    pub(crate) fn event(
        &mut self,
        kind: Kind,
        form: &[u8],
        seq: u64,
        system: &impl System,
    ) -> Option<Event<'_>> {
        match kind {
            Kind::ProcessStart => self.process_start(form, seq, system),
            Kind::ProcessExit => self.process_exit(form, seq, system),
            _ => None,
        }
    }

    fn process_start(&mut self, form: &[u8], seq: u64, system: &impl System) -> Option<Event<'_>> {
        let object = FormHeader::read(form)?.object();
        let start = ProcessStart::read(form)?;
        let facts = system.process_facts(object, start.subsystem_process);
        let path = facts.image_path.as_ref().map(AsRef::as_ref);
        // Without memory for it the exit asks again.
        if let Some(Ok(image)) = path.or(start.image_name).map(copy_of) {
            self.processes.insert(start.id, image);
        }
        let record = write_start(&mut self.record, &start, &facts, seq).ok()?;
        let Some(Ok(Record::ProcessStart(view))) = Records::new(record).next() else {
            return None;
        };
        let image = view.image_path().or_else(|| view.image_name());
        Some(event(
            Kind::ProcessStart,
            view.pid,
            image,
            &view.header,
            record,
        ))
    }

    fn process_exit(&mut self, form: &[u8], seq: u64, system: &impl System) -> Option<Event<'_>> {
        let object = FormHeader::read(form)?.object();
        let exit = ProcessExit::read(form)?;
        let record = match self.processes.remove(exit.id) {
            Some(image) => write_exit(&mut self.record, &exit, Some(&image), seq),
            None => {
                let image = system.image_path(object);
                let image = image.as_ref().map(AsRef::as_ref);
                write_exit(&mut self.record, &exit, image, seq)
            }
        };
        let record = record.ok()?;
        let Some(Ok(Record::ProcessExit(view))) = Records::new(record).next() else {
            return None;
        };
        let image = view.image();
        Some(event(
            Kind::ProcessExit,
            view.pid,
            image,
            &view.header,
            record,
        ))
    }
}

fn event<'a>(
    kind: Kind,
    pid: u32,
    image: Option<Wide<'a>>,
    header: &RecordHeader,
    record: &'a [u8],
) -> Event<'a> {
    Event {
        subject: Subject { kind, pid, image },
        seq: header.seq,
        time: header.time,
        record,
    }
}

fn write_start<'o, B: AsRef<[u8]>>(
    out: &'o mut [u8],
    start: &ProcessStart<'_>,
    facts: &Facts<B>,
    seq: u64,
) -> Result<&'o [u8], NoRoom> {
    let mut writer = Writer::new::<process::ProcessStart>(out)?;
    let image_name = writer.span(start.image_name)?;
    let image_path = writer.span(facts.image_path.as_ref().map(AsRef::as_ref))?;
    let command_line = writer.span(start.command_line)?;
    let user = writer.span(facts.user.as_ref().map(AsRef::as_ref))?;
    let bit = |is: bool, bit: u32| if is { bit } else { 0 };
    let record = process::ProcessStart {
        header: header(&writer, Kind::ProcessStart, seq, start.time),
        key: start.id.key,
        create_time: start.create_time,
        parent_key: start.parent_key.unwrap_or(0),
        creator_key: start.creator_key.unwrap_or(0),
        logon_id: facts.logon_id.unwrap_or(0),
        pid: start.id.pid,
        parent_pid: start.parent_pid,
        creator_pid: start.creator_pid,
        creator_tid: start.creator_tid,
        known: bit(start.parent_key.is_some(), known::PARENT_KEY)
            | bit(start.creator_key.is_some(), known::CREATOR_KEY)
            | bit(facts.logon_id.is_some(), known::LOGON_ID)
            | bit(facts.session_id.is_some(), known::SESSION_ID)
            | bit(facts.integrity.is_some(), known::INTEGRITY)
            | bit(facts.elevated.is_some(), known::ELEVATED)
            | bit(facts.wow64.is_some(), known::WOW64)
            | bit(facts.protection.is_some(), known::PROTECTION)
            | bit(facts.subsystem.is_some(), known::SUBSYSTEM),
        flags: bit(start.image_exact, flags::IMAGE_EXACT)
            | bit(start.subsystem_process, flags::SUBSYSTEM_PROCESS)
            | bit(facts.elevated == Some(true), flags::ELEVATED)
            | bit(facts.wow64 == Some(true), flags::WOW64),
        session_id: facts.session_id.unwrap_or(0),
        integrity: facts.integrity.unwrap_or(0),
        protection: u32::from(facts.protection.unwrap_or(0)),
        subsystem: facts.subsystem.unwrap_or(0),
        creation_status: 0,
        reserved: 0,
        image_name,
        image_path,
        command_line,
        user,
    };
    writer.finish(&record).map(|record| &*record)
}

fn write_exit<'o>(
    out: &'o mut [u8],
    exit: &ProcessExit,
    image: Option<&[u8]>,
    seq: u64,
) -> Result<&'o [u8], NoRoom> {
    let mut writer = Writer::new::<process::ProcessExit>(out)?;
    let image = writer.span(image)?;
    let record = process::ProcessExit {
        header: header(&writer, Kind::ProcessExit, seq, exit.time),
        key: exit.id.key,
        create_time: exit.create_time,
        pid: exit.id.pid,
        exit_status: exit.exit_status,
        image,
    };
    writer.finish(&record).map(|record| &*record)
}

fn header(writer: &Writer<'_>, kind: Kind, seq: u64, time: i64) -> RecordHeader {
    RecordHeader {
        size: writer.size(),
        kind: kind as u16,
        reserved: 0,
        seq,
        time,
    }
}
