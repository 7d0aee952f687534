//! Events as a user of ntwatch sees them: joined, with names and DOS paths.
//!
//! Every type serialises to JSON exactly as schema 1 says (`schema/ntwatch-1.schema.json`). A
//! fact that Windows did not give is `None`, and `null` in JSON. UTF-16 that is not well formed
//! has U+FFFD where a surrogate has no partner.

mod handle;
mod image;
mod process;
mod read;
pub(crate) mod text;
mod thread;
pub(crate) mod words;

pub use handle::{Access, Duplicate, HandleOpen, Operation, ProcessId, Target, TargetType};
pub use image::{Image, ImageLoad, SignatureLevel, SignatureType};
pub use process::{
    ExitedProcess, Integrity, Process, ProcessExit, ProcessRef, ProcessStart, Protection,
    Subsystem, ThreadRef,
};
pub use read::ReadError;
pub use text::Unknown;
pub use thread::{Thread, ThreadExit, ThreadStart};

use crate::time::Time;
use ntwatch_protocol::record::{Kind, PerKind};
use serde::{Deserialize, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

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
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Body {
    /// Always first.
    Session {
        /// Who speaks.
        session: SessionInfo,
    },
    /// A process that ran when the stream began; told of once. Its [`Body::ProcessStart`] may
    /// follow, if it was captured for another session and not yet handed out.
    ProcessRunning(Box<ProcessStart>),
    /// A process was created.
    ProcessStart(Box<ProcessStart>),
    /// A process ended.
    ProcessExit(ProcessExit),
    /// A thread was created.
    ThreadStart(Box<ThreadStart>),
    /// A thread ended.
    ThreadExit(Box<ThreadExit>),
    /// A program, a library or a driver was mapped to be run.
    ImageLoad(Box<ImageLoad>),
    /// A handle to a process or a thread was made, or refused.
    HandleOpen(Box<HandleOpen>),
    /// Events are missing here.
    Lost(Lost),
}

impl Body {
    /// The word for it, `event` in JSON.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Body::Session { .. } => "session",
            Body::ProcessRunning(_) => "process_running",
            Body::ProcessStart(_) => Kind::ProcessStart.name(),
            Body::ProcessExit(_) => Kind::ProcessExit.name(),
            Body::ThreadStart(_) => Kind::ThreadStart.name(),
            Body::ThreadExit(_) => Kind::ThreadExit.name(),
            Body::ImageLoad(_) => Kind::ImageLoad.name(),
            Body::HandleOpen(_) => Kind::HandleOpen.name(),
            Body::Lost(_) => Kind::Lost.name(),
        }
    }

    /// Which of the driver's events this is, if it is one.
    #[must_use]
    pub const fn kind(&self) -> Option<Kind> {
        match self {
            Body::ProcessStart(_) => Some(Kind::ProcessStart),
            Body::ProcessExit(_) => Some(Kind::ProcessExit),
            Body::ThreadStart(_) => Some(Kind::ThreadStart),
            Body::ThreadExit(_) => Some(Kind::ThreadExit),
            Body::ImageLoad(_) => Some(Kind::ImageLoad),
            Body::HandleOpen(_) => Some(Kind::HandleOpen),
            Body::Session { .. } | Body::ProcessRunning(_) | Body::Lost(_) => None,
        }
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Line<'a> {
            seq: u64,
            time: Time,
            event: &'static str,
            #[serde(flatten)]
            body: &'a Body,
        }
        let line = Line {
            seq: self.seq,
            time: self.time,
            event: self.body.name(),
            body: &self.body,
        };
        line.serialize(serializer)
    }
}

/// The machine, the driver and the client behind a stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// Of this crate, where the stream was made.
    pub client_version: Cow<'static, str>,
}

/// Events are missing.
///
/// Those lost on the way to the session had numbers, and these are the first and the last of them.
/// Those lost in capture never had any: the numbers are those of the events that they were between.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lost {
    /// Where they were lost.
    pub stage: Stage,
    /// How many of each kind.
    #[serde(rename = "lost")]
    pub counts: Counts,
    /// [`Event::seq`] of the first that is missing; in capture, of the last before them.
    pub first_seq: u64,
    /// [`Event::seq`] of the last that is missing; in capture, of the first behind them.
    pub last_seq: u64,
}

/// Where events can be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The driver's capture ring was full: no session has them.
    Capture,
    /// This session's ring was full: it was not read fast enough.
    Session,
}

impl Stage {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Session => "session",
        }
    }
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KindName(u16);

impl fmt::Display for KindName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A gap is no event, and not counted.
        match Kind::from_wire(self.0).filter(|kind| *kind != Kind::Lost) {
            Some(kind) => f.pad(kind.name()),
            None => f.pad(&format!("kind_{}", self.0)),
        }
    }
}

impl FromStr for KindName {
    type Err = text::Unknown;

    fn from_str(text: &str) -> Result<Self, text::Unknown> {
        let named = Kind::EVENTS.into_iter().find(|kind| kind.name() == text);
        let numbered = || text.strip_prefix("kind_")?.parse().ok();
        let number = named.map(|kind| kind as u16).or_else(numbered);
        number.map(Self).ok_or(text::Unknown)
    }
}

text::in_json!(KindName, to_string);

/// A number that JSON's readers may not hold exactly, shown as `0x…`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Hex(pub u64);

impl Hex {
    /// Most of what most events are written as: without the machinery of formatting.
    fn text(self) -> HexText {
        let mut text = *b"0x0000000000000000";
        let digits = (u64::BITS - (self.0 | 1).leading_zeros()).div_ceil(4) as usize;
        let mut rest = self.0;
        for digit in text[2..2 + digits].iter_mut().rev() {
            *digit = b"0123456789abcdef"[(rest & 0xf) as usize];
            rest >>= 4;
        }
        HexText {
            text,
            len: 2 + digits,
        }
    }
}

/// A number as `0x…`.
struct HexText {
    text: [u8; 18],
    len: usize,
}

impl Deref for HexText {
    type Target = str;

    fn deref(&self) -> &str {
        std::str::from_utf8(&self.text[..self.len]).unwrap_or_default()
    }
}

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl FromStr for Hex {
    type Err = text::Unknown;

    fn from_str(text: &str) -> Result<Self, text::Unknown> {
        text::hex(text).map(Self)
    }
}

text::in_json!(Hex, text);
