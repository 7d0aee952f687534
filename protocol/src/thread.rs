//! Thread start and exit.

use crate::record::RecordHeader;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Bits of [`ThreadStart::known`]: which of the optional facts are known.
pub mod known {
    /// [`super::ThreadStart::key`].
    pub const KEY: u32 = 1 << 0;
    /// [`super::ThreadStart::creator_key`].
    pub const CREATOR_KEY: u32 = 1 << 1;
    /// [`super::ThreadStart::start_address`].
    pub const START_ADDRESS: u32 = 1 << 2;
    /// [`super::ThreadStart::subsystem`].
    pub const SUBSYSTEM: u32 = 1 << 3;
    /// [`super::flags::REMOTE`]. Not known where another process started the thread, and it may be
    /// the first of its process: the process' start was not seen.
    pub const REMOTE: u32 = 1 << 4;
}

/// Bits of [`ThreadStart::flags`].
pub mod flags {
    /// Another process started it, and it is not the first of its process; see
    /// [`super::known::REMOTE`].
    pub const REMOTE: u32 = 1 << 0;
}

/// A thread was created (page "PCREATE_THREAD_NOTIFY_ROUTINE").
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct ThreadStart {
    /// Kind [`crate::record::Kind::ThreadStart`].
    pub header: RecordHeader,
    /// Start key of its process.
    pub key: u64,
    /// Start key of the process whose thread created it.
    pub creator_key: u64,
    /// Where it begins to run. A hint: the process itself can set it.
    pub start_address: u64,
    /// Process id.
    pub pid: u32,
    /// Thread id.
    pub tid: u32,
    /// The process whose thread created it.
    pub creator_pid: u32,
    /// That thread.
    pub creator_tid: u32,
    /// Bits of [`known`].
    pub known: u32,
    /// Bits of [`flags`].
    pub flags: u32,
    /// A value of [`crate::process::subsystem`].
    pub subsystem: u32,
    /// Zero.
    pub reserved: u32,
}

/// A thread ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct ThreadExit {
    /// Kind [`crate::record::Kind::ThreadExit`].
    pub header: RecordHeader,
    /// Start key of its process.
    pub key: u64,
    /// Process id.
    pub pid: u32,
    /// Thread id.
    pub tid: u32,
    /// The NTSTATUS or exit code that it ended with.
    pub exit_status: u32,
    /// Zero.
    pub reserved: u32,
}

const _: () = {
    assert!(size_of::<ThreadStart>() == 80);
    assert!(core::mem::offset_of!(ThreadStart, pid) == 48);
    assert!(size_of::<ThreadExit>() == 48);
    assert!(core::mem::offset_of!(ThreadExit, pid) == 32);
};
