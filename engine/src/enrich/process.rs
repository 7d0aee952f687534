//! Process start and exit.

use super::{Enricher, header};
use crate::event::{Event, Party, What};
use crate::facts::{Facts, System};
use crate::form::{self, ProcessExit, ProcessStart, bit};
use crate::process_table::ProcessId;
use ntwatch_protocol::process::{self, flags, known};
use ntwatch_protocol::reader::{Record, Records};
use ntwatch_protocol::record::{Kind, RecordHeader};
use ntwatch_protocol::wide::Wide;
use ntwatch_protocol::writer::{NoRoom, Writer};

impl Enricher {
    // Its frame is not to be part of the worker's for other events.
    #[inline(never)]
    pub(super) fn process_start(
        &mut self,
        form: &[u8],
        seq: u64,
        system: &impl System,
    ) -> Option<Event<'_>> {
        let (start, threads_heard) = ProcessStart::read(form)?;
        let process = form::object(Kind::ProcessStart, form)?;
        let facts = system.process_facts(process, start.subsystem_process);
        let path = facts.image_path.as_ref().map(AsRef::as_ref);
        let creator = ProcessId::new(start.creator_pid, start.creator_key);
        self.processes.start(
            start.id,
            path.or(start.image_name),
            !start.subsystem_process,
            threads_heard.then_some(creator),
        );
        let record = write_start(&mut self.record, &start, &facts, seq).ok()?;
        let Some(Ok(Record::ProcessStart(view))) = Records::new(record).next() else {
            return None;
        };
        let parent = ProcessId::new(start.parent_pid, start.parent_key);
        let image = view.image_path().or_else(|| view.image_name());
        let what = What::ProcessStart { parent };
        Some(event(what, start.id, image, &view.header, record))
    }

    // Its frame is not to be part of the worker's for other events.
    #[inline(never)]
    pub(super) fn process_exit(
        &mut self,
        form: &[u8],
        seq: u64,
        system: &impl System,
    ) -> Option<Event<'_>> {
        let exit = ProcessExit::read(form)?;
        let process = form::object(Kind::ProcessExit, form)?;
        let record = match self.processes.exit(exit.id) {
            Some(image) => write_exit(&mut self.record, &exit, Some(&image), seq),
            None => {
                let image = system.image_path(process);
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
            What::ProcessExit,
            exit.id,
            image,
            &view.header,
            record,
        ))
    }
}

/// An event about one process, whose image is in the record.
fn event<'a>(
    what: What,
    id: ProcessId,
    image: Option<Wide<'a>>,
    header: &RecordHeader,
    record: &'a [u8],
) -> Event<'a> {
    Event {
        what,
        about: [Some(Party { id, image }), None],
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
            | bit(facts.subsystem.is_some(), known::SUBSYSTEM)
            | bit(start.creation_status != 0, known::CREATION_STATUS),
        flags: bit(start.image_exact, flags::IMAGE_EXACT)
            | bit(start.subsystem_process, flags::SUBSYSTEM_PROCESS)
            | bit(facts.elevated == Some(true), flags::ELEVATED)
            | bit(facts.wow64 == Some(true), flags::WOW64),
        session_id: facts.session_id.unwrap_or(0),
        integrity: facts.integrity.unwrap_or(0),
        protection: u32::from(facts.protection.unwrap_or(0)),
        subsystem: facts.subsystem.unwrap_or(0),
        creation_status: start.creation_status as u32,
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
