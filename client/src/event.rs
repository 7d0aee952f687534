//! Events as a user of ntwatch sees them: joined, with names and DOS paths.
//!
//! Every type serialises to JSON exactly as schema 1 says (`schema/ntwatch-1.schema.json`). A
//! fact that Windows did not give is `None`, and `null` in JSON. UTF-16 that is not well formed
//! has U+FFFD where a surrogate has no partner.

use crate::time::Time;
use ntwatch_protocol::process::subsystem;
use ntwatch_protocol::record::{Kind, PerKind};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use std::fmt;
use std::sync::Arc;

/// The version of the JSON schema.
pub const SCHEMA: u32 = 1;

/// One thing that happened, or one process that ran already.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Unique within the stream. The driver's begin at [`ntwatch_protocol::record::FIRST_SEQ`];
    /// what the client says of itself is numbered from 0.
    pub seq: u64,
    /// When it was captured.
    pub time: Time,
    /// What it is.
    pub body: Body,
}

/// What an [`Event`] tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Always first: who speaks.
    Session(SessionInfo),
    /// A process that ran when the stream began; told of once. Its [`Body::ProcessStart`] may
    /// follow, if it was captured for another session and not yet handed out.
    ProcessRunning(Box<ProcessStart>),
    /// A process was created.
    ProcessStart(Box<ProcessStart>),
    /// A process ended.
    ProcessExit(ProcessExit),
    /// Events are missing here.
    Lost(Lost),
}

impl Body {
    /// The word for it, `event` in JSON.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Body::Session(_) => "session",
            Body::ProcessRunning(_) => "process_running",
            Body::ProcessStart(_) => Kind::ProcessStart.name(),
            Body::ProcessExit(_) => Kind::ProcessExit.name(),
            Body::Lost(_) => Kind::Lost.name(),
        }
    }

    /// Which of the driver's events this is, if it is one.
    #[must_use]
    pub const fn kind(&self) -> Option<Kind> {
        match self {
            Body::ProcessStart(_) => Some(Kind::ProcessStart),
            Body::ProcessExit(_) => Some(Kind::ProcessExit),
            Body::Session(_) | Body::ProcessRunning(_) | Body::Lost(_) => None,
        }
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("seq", &self.seq)?;
        map.serialize_entry("time", &self.time)?;
        map.serialize_entry("event", self.body.name())?;
        match &self.body {
            Body::Session(session) => map.serialize_entry("session", session)?,
            Body::ProcessRunning(start) | Body::ProcessStart(start) => {
                map.serialize_entry("process", &start.process)?;
                map.serialize_entry("parent", &start.parent)?;
                map.serialize_entry("creator", &start.creator)?;
            }
            Body::ProcessExit(exit) => {
                map.serialize_entry("process", &exit.process)?;
                map.serialize_entry("exit_status", &exit.exit_status)?;
            }
            Body::Lost(lost) => {
                map.serialize_entry("stage", &lost.stage)?;
                map.serialize_entry("lost", &lost.counts)?;
                map.serialize_entry("first_seq", &lost.first_seq)?;
                map.serialize_entry("last_seq", &lost.last_seq)?;
            }
        }
        map.end()
    }
}

/// The machine, the driver and the client behind a stream.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SessionInfo {
    /// Differs for each load of the driver.
    pub driver_load_id: Hex,
    /// When the machine was started.
    pub boot_time: Option<Time>,
    /// The machine's name.
    pub host: String,
    /// [`SCHEMA`].
    pub schema: u32,
    /// Major, minor, patch, build.
    pub driver_version: String,
    /// Of this crate.
    pub client_version: &'static str,
}

/// A process with all that is known about it.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessStart {
    /// The process itself.
    pub process: Process,
    /// The process that it inherits from; a creator may name another than itself.
    pub parent: Option<ProcessRef>,
    /// The thread that created it; not known of a process that ran already.
    pub creator: Option<Creator>,
}

/// Facts of a process, as of its start.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Process {
    /// Process id, used again once the process is gone.
    pub pid: u32,
    /// Start key: with the pid, never used again.
    pub key: Hex,
    /// When it was created.
    pub create_time: Option<Time>,
    /// DOS path where the volume is mapped, else NT path; for WSL the Linux path.
    pub image: Option<Arc<str>>,
    /// Was it started by the file's exact name (`FileOpenNameAvailable`)?
    pub image_exact: Option<bool>,
    /// As passed to it; for WSL the arguments, each ended by a NUL.
    pub command_line: Option<String>,
    /// Terminal Services session.
    pub session: Option<u32>,
    /// `DOMAIN\name`, or the SID if no account bears it.
    pub user: Option<Arc<str>>,
    /// The logon session's LUID.
    pub logon_id: Option<Hex>,
    /// Integrity level.
    pub integrity: Option<Integrity>,
    /// Is the token elevated?
    pub elevated: Option<bool>,
    /// Protection level.
    pub protection: Option<Protection>,
    /// A 32-bit process on 64-bit Windows?
    pub wow64: Option<bool>,
    /// Win32 or WSL.
    pub subsystem: Option<Subsystem>,
}

/// A process that an event refers to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProcessRef {
    /// Process id.
    pub pid: u32,
    /// Start key.
    pub key: Option<Hex>,
    /// As [`Process::image`].
    pub image: Option<Arc<str>>,
}

/// The thread that created a process.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Creator {
    /// Its process id.
    pub pid: u32,
    /// Its thread id.
    pub tid: u32,
    /// Start key of its process.
    pub key: Option<Hex>,
    /// As [`Process::image`], of its process.
    pub image: Option<Arc<str>>,
}

/// A process ended.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessExit {
    /// Which one.
    pub process: ExitedProcess,
    /// The exit code or NTSTATUS that it ended with.
    pub exit_status: u32,
}

/// What is said again of a process that ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExitedProcess {
    /// Process id.
    pub pid: u32,
    /// Start key.
    pub key: Hex,
    /// When it was created.
    pub create_time: Option<Time>,
    /// As [`Process::image`].
    pub image: Option<Arc<str>>,
}

/// Events are missing.
#[derive(Clone, Debug, PartialEq)]
pub struct Lost {
    /// Where they were lost.
    pub stage: Stage,
    /// How many of each kind.
    pub counts: Counts,
    /// See [`ntwatch_protocol::lost::Lost`].
    pub first_seq: u64,
    /// See [`ntwatch_protocol::lost::Lost`].
    pub last_seq: u64,
}

/// Where events can be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The driver's capture ring was full: no session has them.
    Capture,
    /// This session's ring was full: it was not read fast enough.
    Session,
}

/// How many events of each kind. In JSON an object that leaves out what is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts(pub PerKind);

impl Counts {
    /// The kinds of which there is any, and how many. A kind that this version does not know is
    /// given by its number, as `kind_7`.
    pub fn iter(&self) -> impl Iterator<Item = (KindName, u64)> + '_ {
        (0u16..)
            .zip(self.0)
            .filter(|(_, count)| *count != 0)
            .map(|(index, count)| (KindName(index), count))
    }

    /// Of all kinds together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0
            .iter()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }
}

impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

/// The number of a kind, shown as its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KindName(u16);

impl fmt::Display for KindName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Kind::from_wire(self.0) {
            Some(kind) => f.pad(kind.name()),
            None => f.pad(&format!("kind_{}", self.0)),
        }
    }
}

impl Serialize for KindName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A number that JSON's readers may not hold exactly, shown as `0x…`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Hex(pub u64);

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// An integrity level, the last part of its SID (page "Mandatory Integrity Control"): a word for
/// the ones that Windows names, else `0x…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Integrity(pub u32);

impl fmt::Display for Integrity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            0x0000 => "untrusted",
            0x1000 => "low",
            0x2000 => "medium",
            0x2100 => "medium_plus",
            0x3000 => "high",
            0x4000 => "system",
            0x5000 => "protected",
            other => return write!(f, "{other:#x}"),
        })
    }
}

impl Serialize for Integrity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// `PS_PROTECTION`: `none`, or the signer and how far it goes, such as `antimalware_light` or
/// `windows_tcb`; else `0x…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection(pub u8);

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Type in bits 0 to 2, audit in bit 3, signer in bits 4 to 7.
        let light = match self.0 & 0x7 {
            0 => return f.write_str("none"),
            1 => "_light",
            2 => "",
            _ => return write!(f, "{:#x}", self.0),
        };
        let signer = match self.0 >> 4 {
            0 => "no_signer",
            1 => "authenticode",
            2 => "code_gen",
            3 => "antimalware",
            4 => "lsa",
            5 => "windows",
            6 => "windows_tcb",
            7 => "windows_system",
            8 => "app",
            _ => return write!(f, "{:#x}", self.0),
        };
        write!(f, "{signer}{light}")
    }
}

impl Serialize for Protection {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Whose process it is (page "SUBSYSTEM_INFORMATION_TYPE").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Subsystem {
    /// A Windows process.
    Win32,
    /// A Linux process, of the Windows Subsystem for Linux.
    Wsl,
}

impl Subsystem {
    /// `None` for a value that this version does not know.
    #[must_use]
    pub const fn from_wire(value: u32) -> Option<Self> {
        match value {
            subsystem::WIN32 => Some(Self::Win32),
            subsystem::WSL => Some(Self::Wsl),
            _ => None,
        }
    }
}
