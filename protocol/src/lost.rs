//! The record that stands where others are missing.

use crate::record::{PerKind, RecordHeader};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Values of [`Lost::stage`].
pub mod stage {
    /// The capture ring was full. Nobody has these events.
    pub const CAPTURE: u32 = 1;
    /// This session's ring was full. Other sessions may have them.
    pub const SESSION: u32 = 2;
}

/// Events are missing here, as many as [`Lost::counts`] says.
///
/// For stage `session` the sequence numbers are the first and last that were left out, and the
/// record bears the last one itself; or the last but one, if a loss in capture is announced right
/// behind it, with the last one. Events lost in capture never had a number: the record has one of
/// its own, and first and last are those of the events that it stands between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Lost {
    /// Kind [`crate::record::Kind::Lost`].
    pub header: RecordHeader,
    /// A value of [`stage`].
    pub stage: u32,
    /// Zero.
    pub reserved: u32,
    /// See above.
    pub first_seq: u64,
    /// See above.
    pub last_seq: u64,
    /// How many, by kind.
    pub counts: PerKind,
}

const _: () = {
    assert!(size_of::<Lost>() == 176);
    assert!(core::mem::offset_of!(Lost, counts) == 48);
};
