//! Sysmon's events, as flat JSON: what collectors make of its event log, and tools for Sigma read.

mod record;

use super::Lines;
use super::memory::{Memory, Party};
use crate::event::{
    Body, Counts, Event, HandleOpen, Hex, ImageLoad, Integrity, ProcessStart, SignatureLevel,
    TargetType, ThreadStart,
};
use ntwatch_protocol::record::Kind;
use record::Record;
use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;

/// A line of flat JSON for each event that Sysmon has too.
///
/// | ntwatch tells of | line |
/// | --- | --- |
/// | `process_start`, unless it was refused | 1, ProcessCreate |
/// | `process_exit` | 5, ProcessTerminate |
/// | `image_load` of the kernel | 6, DriverLoad |
/// | any other `image_load` | 7, ImageLoad |
/// | `thread_start` that is `remote` | 8, CreateRemoteThread |
/// | `handle_open` of another process, granted, and no handle of the kernel's | 10, ProcessAccess |
/// | `lost` | 255, Error, with `ID` QUEUE |
///
/// Sysmon has no event for the rest, and there is no line for it. The copy of a handle is an access
/// by whoever made it. Of a process that another driver has refused nothing ran, and event 1 has no
/// field to say so: of such a one there is at most the end.
///
/// Fields are those of page "Sysmon" (Sysinternals) and of its log. All are text but `EventID`.
/// What collectors call by several names stands under each: `Hostname` and `Computer`, `SourceName`
/// and `Provider_Name`. A fact that is not known has no field, and neither have those that ntwatch
/// never knows, such as `CurrentDirectory`, `OriginalFileName` and `CallTrace`.
///
/// - `UtcTime` is when the event was captured; what is below a millisecond is cut off.
/// - `ProcessGuid` and its like are made of four bytes for the machine (FNV-1a of its name in lower
///   case), four for the pid, and eight for the start key, where Sysmon has the same eight. So they
///   are the same in every stream, and differ for any two processes of one machine. N.B. Machines
///   may share their four bytes: with 9,300 of them it is as likely as not that two do. The first
///   eight bytes of Sysmon's are others.
/// - `User`, `ParentUser`, `ParentCommandLine` and their like are from the start of that process,
///   and kept for the newest bearer of each pid.
/// - `Signed` is Code Integrity's word, and not given for an image that it has not looked at.
/// - `IntegrityLevel` of an app container is its token's: Low.
/// - `Description` of an event 255 counts all threads and handles that are missing, not only those
///   that Sysmon would have told of.
#[derive(Clone, Debug, Default)]
pub struct Sysmon {
    memory: Memory,
}

impl Lines for Sysmon {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        self.memory.learn(event);
        if let Some(record) = self.record(event) {
            let written = serde_json::to_writer(&mut *out, &record);
            // Memory takes every byte, and records are made of what JSON has.
            debug_assert!(written.is_ok(), "{written:?}");
            out.push(b'\n');
        }
    }
}

impl Sysmon {
    fn record<'e>(&'e self, event: &'e Event) -> Option<Record<'e>> {
        let session = self.memory.session.as_ref();
        let host = session.map(|session| session.host.as_str());
        let begin = |id| Record::new(id, host, event.time);
        match &event.body {
            Body::ProcessStart(start) if start.creation_status.is_none() => {
                Some(self.process_create(begin(1), start))
            }
            Body::ProcessExit(exit) => {
                let mut record = begin(5);
                self.put_party(&mut record, &PROCESS, &exit.process);
                Some(record)
            }
            Body::ImageLoad(load) => {
                let id = if load.image.kernel { 6 } else { 7 };
                Some(self.image_load(begin(id), load))
            }
            Body::ThreadStart(start) if start.remote == Some(true) => {
                Some(self.create_remote_thread(begin(8), start))
            }
            Body::HandleOpen(open) => {
                let granted = granted(open)?;
                Some(self.process_access(begin(10), open, granted))
            }
            Body::Lost(lost) => {
                let mut record = begin(255);
                record.put("ID", "QUEUE");
                record.put("Description", dropped(lost.counts));
                Some(record)
            }
            Body::Session { .. }
            | Body::ProcessRunning(_)
            | Body::ProcessStart(_)
            | Body::ThreadStart(_)
            | Body::ThreadExit(_) => None,
        }
    }

    fn process_create<'e>(&'e self, mut record: Record<'e>, start: &'e ProcessStart) -> Record<'e> {
        let process = &start.process;
        self.put_party(&mut record, &PROCESS, process);
        record.put_known("CommandLine", self.command_line(process));
        record.put_known("LogonId", process.logon_id.map(|id| id.to_string()));
        let session = process.session.map(|session| session.to_string());
        record.put_known("TerminalSessionId", session);
        record.put_known("IntegrityLevel", process.integrity.map(integrity_level));
        record.put_known("Hashes", hashes(process.sha256.as_ref()));
        if let Some(parent) = &start.parent {
            self.put_party(&mut record, &PARENT, parent);
            record.put_known("ParentCommandLine", self.command_line(parent));
        }
        record
    }

    fn image_load<'e>(&'e self, mut record: Record<'e>, load: &'e ImageLoad) -> Record<'e> {
        let image = &load.image;
        if let Some(process) = &load.process {
            self.put_party(&mut record, &PROCESS, process);
        }
        record.put_known("ImageLoaded", image.path.as_deref());
        record.put_known("Hashes", hashes(image.sha256.as_ref()));
        record.put_known("Signed", signed(image.signature_level));
        record
    }

    fn create_remote_thread<'e>(
        &'e self,
        mut record: Record<'e>,
        start: &'e ThreadStart,
    ) -> Record<'e> {
        let thread = &start.thread;
        self.put_party(&mut record, &SOURCE, &start.creator);
        self.put_party(&mut record, &TARGET, &start.process);
        record.put("NewThreadId", thread.tid.to_string());
        let address = thread.start_address.map(|Hex(at)| format!("0x{at:016X}"));
        record.put_known("StartAddress", address);
        record.put_known("StartModule", thread.start_module.as_deref());
        record
    }

    fn process_access<'e>(
        &'e self,
        mut record: Record<'e>,
        open: &'e HandleOpen,
        granted: u32,
    ) -> Record<'e> {
        self.put_party(&mut record, &ACCESSING, &open.source);
        record.put("SourceThreadId", open.source.tid.to_string());
        self.put_party(&mut record, &ACCESSED, &open.target);
        record.put("GrantedAccess", format!("{granted:#x}"));
        record
    }

    /// Says which process has a part in the event.
    fn put_party<'e>(
        &'e self,
        record: &mut Record<'e>,
        names: &Names,
        party: impl Into<Party<'e>>,
    ) {
        let party = party.into();
        let known = self.memory.known(&party);
        record.put_known(names.guid, self.memory.guid(&party));
        record.put(names.id, party.pid.to_string());
        record.put_known(names.image, party.image);
        record.put_known(names.user, known.and_then(|known| known.user.as_deref()));
    }

    fn command_line<'e>(&'e self, party: impl Into<Party<'e>>) -> Option<&'e str> {
        let known = self.memory.known(&party.into())?;
        known.command_line.as_deref()
    }
}

/// What Sysmon calls the facts of a process, for each part that one can have in an event.
struct Names {
    guid: &'static str,
    id: &'static str,
    image: &'static str,
    user: &'static str,
}

const PROCESS: Names = Names {
    guid: "ProcessGuid",
    id: "ProcessId",
    image: "Image",
    user: "User",
};

const PARENT: Names = Names {
    guid: "ParentProcessGuid",
    id: "ParentProcessId",
    image: "ParentImage",
    user: "ParentUser",
};

const SOURCE: Names = Names {
    guid: "SourceProcessGuid",
    id: "SourceProcessId",
    image: "SourceImage",
    user: "SourceUser",
};

const TARGET: Names = Names {
    guid: "TargetProcessGuid",
    id: "TargetProcessId",
    image: "TargetImage",
    user: "TargetUser",
};

// N.B. Event 10 has GUID where event 8 has Guid.
const ACCESSING: Names = Names {
    guid: "SourceProcessGUID",
    ..SOURCE
};

const ACCESSED: Names = Names {
    guid: "TargetProcessGUID",
    ..TARGET
};

/// The rights of a handle to another process; `None` for what Sysmon has no event for.
fn granted(open: &HandleOpen) -> Option<u32> {
    let (source, target) = (&open.source, &open.target);
    let is_own = (source.pid, source.key) == (target.pid, target.key);
    let is_told = target.kind == TargetType::Process && !is_own && !open.kernel;
    open.access.granted.filter(|_| is_told)
}

fn integrity_level(level: Integrity) -> Cow<'static, str> {
    let word = match level.0 {
        0x0000 => "Untrusted",
        0x1000 => "Low",
        0x2000 => "Medium",
        0x2100 => "Medium Plus",
        0x3000 => "High",
        0x4000 => "System",
        0x5000 => "Protected",
        _ => return level.to_string().into(),
    };
    word.into()
}

fn hashes(sha256: Option<&Arc<str>>) -> Option<String> {
    sha256.map(|hash| format!("SHA256={}", hash.to_ascii_uppercase()))
}

const fn signed(level: SignatureLevel) -> Option<&'static str> {
    match level.0 {
        // Unchecked.
        0 => None,
        // Unsigned.
        1 => Some("false"),
        _ => Some("true"),
    }
}

/// How Sysmon says that its driver's queue was full.
fn dropped(counts: Counts) -> String {
    let mut text = "Events dropped from driver queue:".to_owned();
    for (kind, count) in counts.iter() {
        let kind = kind.to_string();
        let word = WORDS.iter().find(|(known, _)| known.name() == kind);
        let word = word.map_or(kind.as_str(), |(_, word)| word);
        // Text takes every character.
        let _ = write!(text, " {word}:{count}");
    }
    text
}

/// Sysmon's words for kinds of events; it has none for others.
const WORDS: [(Kind, &str); 5] = [
    (Kind::ProcessStart, "ProcessCreate"),
    (Kind::ProcessExit, "ProcessTerminate"),
    (Kind::ThreadStart, "CreateRemoteThread"),
    (Kind::ImageLoad, "ImageLoad"),
    (Kind::HandleOpen, "ProcessAccess"),
];
