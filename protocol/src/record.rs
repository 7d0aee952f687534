//! The frame of an event record: a header, a fixed body, then what the body's spans point at.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// No record is larger, in bytes: two counted strings of 64 KiB each (`UNICODE_STRING` carries
/// its length in 16 bits), a third, and the fixed part.
pub const MAX_RECORD_SIZE: usize = 256 * 1024;

/// Records start and end at multiples of this, in bytes.
pub const RECORD_ALIGN: usize = 8;

/// Slots of an array indexed by kind. Constant, so that structures keep their size as kinds come.
pub const KIND_SLOTS: usize = 16;

/// One number for each kind of event, indexed by [`Kind::index`].
pub type PerKind = [u64; KIND_SLOTS];

/// The first sequence number that the driver gives. A client numbers lines of its own (what ran
/// before it began) below it.
pub const FIRST_SEQ: u64 = 1 << 32;

/// What an event tells of. Values are the wire's; gaps are for sources to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u16)]
pub enum Kind {
    /// A process was created: [`crate::process::ProcessStart`].
    ProcessStart = 1,
    /// A process' last thread ended: [`crate::process::ProcessExit`].
    ProcessExit = 2,
    /// A thread was created: [`crate::thread::ThreadStart`].
    ThreadStart = 3,
    /// A thread ended: [`crate::thread::ThreadExit`].
    ThreadExit = 4,
    /// An image was mapped to be run: [`crate::image::ImageLoad`].
    ImageLoad = 5,
    /// A handle to a process or a thread was made: [`crate::handle::HandleOpen`].
    HandleOpen = 6,
    /// Records are missing here: [`crate::lost::Lost`]. Never counted as an event.
    Lost = 15,
}

impl Kind {
    /// The kinds that are events, in wire order.
    pub const EVENTS: [Kind; 6] = [
        Kind::ProcessStart,
        Kind::ProcessExit,
        Kind::ThreadStart,
        Kind::ThreadExit,
        Kind::ImageLoad,
        Kind::HandleOpen,
    ];

    /// The mask of process starts and exits, by which everything else is joined.
    pub const PROCESS_EVENTS: u32 = Kind::ProcessStart.bit() | Kind::ProcessExit.bit();

    /// The mask of all [`Kind::EVENTS`].
    pub const ALL_EVENTS: u32 = Kind::PROCESS_EVENTS
        | Kind::ThreadStart.bit()
        | Kind::ThreadExit.bit()
        | Kind::ImageLoad.bit()
        | Kind::HandleOpen.bit();

    /// The kind that a header names, if this version knows it.
    #[must_use]
    pub const fn from_wire(value: u16) -> Option<Kind> {
        match value {
            1 => Some(Kind::ProcessStart),
            2 => Some(Kind::ProcessExit),
            3 => Some(Kind::ThreadStart),
            4 => Some(Kind::ThreadExit),
            5 => Some(Kind::ImageLoad),
            6 => Some(Kind::HandleOpen),
            15 => Some(Kind::Lost),
            _ => None,
        }
    }

    /// Where this kind stands in a [`PerKind`]; below [`KIND_SLOTS`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// This kind's bit in an event mask.
    #[must_use]
    pub const fn bit(self) -> u32 {
        1 << self as u16
    }

    /// The name that users see, in `event` of the JSON schema and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Kind::ProcessStart => "process_start",
            Kind::ProcessExit => "process_exit",
            Kind::ThreadStart => "thread_start",
            Kind::ThreadExit => "thread_exit",
            Kind::ImageLoad => "image_load",
            Kind::HandleOpen => "handle_open",
            Kind::Lost => "lost",
        }
    }

    /// May this kind use the share of a ring that is reserved for identity? Without starts and
    /// exits nothing else can be joined.
    #[must_use]
    pub const fn has_reserve(self) -> bool {
        matches!(self, Kind::ProcessStart | Kind::ProcessExit)
    }
}

/// How every record begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct RecordHeader {
    /// Bytes of the whole record, this header among them; a multiple of [`RECORD_ALIGN`].
    pub size: u32,
    /// A [`Kind`], or a value that this version does not know and skips.
    pub kind: u16,
    /// Zero.
    pub reserved: u16,
    /// Given by the worker in ring order, dense over all sessions, from [`FIRST_SEQ`].
    pub seq: u64,
    /// When it was captured: 100 ns units since 1601, UTC. May step back by a little.
    pub time: i64,
}

/// Bytes inside a record. An offset of 0 says that Windows did not give the fact.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable,
)]
#[repr(C)]
pub struct Span {
    /// From the start of the record, in bytes.
    pub offset: u32,
    /// In bytes.
    pub len: u32,
}

impl Span {
    /// No such fact.
    pub const ABSENT: Span = Span { offset: 0, len: 0 };
}

const _: () = {
    assert!(size_of::<RecordHeader>() == 24);
    assert!(core::mem::offset_of!(RecordHeader, seq) == 8);
    assert!(core::mem::offset_of!(RecordHeader, time) == 16);
    assert!(Kind::Lost.index() < KIND_SLOTS);
};
