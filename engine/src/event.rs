//! An event on its way from the worker to the sessions.

use crate::process_table::ProcessId;
use ntwatch_protocol::record::Kind;
use ntwatch_protocol::wide::Wide;

/// An event, ready for every session.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// What happened.
    pub what: What,
    /// The processes that it is about, as [`ntwatch_protocol::configure`] has it.
    pub about: [Option<Party<'a>>; 2],
    /// When it was captured, as in `record`.
    pub time: i64,
    /// The sequence number in `record`.
    pub seq: u64,
    /// As [`ntwatch_protocol::reader`] reads it.
    pub record: &'a [u8],
}

impl<'a> Event<'a> {
    /// What kind of event it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.what.kind()
    }

    /// The processes that it is about.
    pub fn parties(&self) -> impl Iterator<Item = &Party<'a>> {
        self.about.iter().flatten()
    }
}

/// A kind of event, with what filters ask about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// See [`Kind::ProcessStart`].
    ProcessStart {
        /// Whose child it is.
        parent: ProcessId,
    },
    /// See [`Kind::ProcessExit`].
    ProcessExit,
    /// See [`Kind::ThreadStart`].
    ThreadStart {
        /// Did another process start it, and is it not the first of its process? `None` if nobody
        /// can tell.
        remote: Option<bool>,
    },
    /// See [`Kind::ThreadExit`].
    ThreadExit,
    /// See [`Kind::ImageLoad`].
    ImageLoad {
        /// Is it mapped into the kernel, not into a process?
        kernel: bool,
    },
    /// See [`Kind::HandleOpen`].
    HandleOpen {
        /// Is it a thread that is opened?
        thread: bool,
        /// The rights that were asked for.
        original: u32,
    },
}

impl What {
    /// The kind alone.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            What::ProcessStart { .. } => Kind::ProcessStart,
            What::ProcessExit => Kind::ProcessExit,
            What::ThreadStart { .. } => Kind::ThreadStart,
            What::ThreadExit => Kind::ThreadExit,
            What::ImageLoad { .. } => Kind::ImageLoad,
            What::HandleOpen { .. } => Kind::HandleOpen,
        }
    }
}

/// A process that an event is about.
#[derive(Clone, Copy, Debug)]
pub struct Party<'a> {
    /// Which.
    pub id: ProcessId,
    /// Its full path, else the name that it was started by. Found out only if a filter asks.
    pub image: Option<Wide<'a>>,
}
