//! Handles to processes and threads: who got which rights to whom.

use crate::record::RecordHeader;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Bits of [`HandleOpen::known`]: which of the optional numbers Windows gave.
pub mod known {
    /// [`super::HandleOpen::source_key`].
    pub const SOURCE_KEY: u32 = 1 << 0;
    /// [`super::HandleOpen::target_key`].
    pub const TARGET_KEY: u32 = 1 << 1;
    /// [`super::HandleOpen::attached_pid`] and its key.
    pub const ATTACHED: u32 = 1 << 2;
    /// [`super::HandleOpen::from_pid`], [`super::HandleOpen::to_pid`] and their keys: of a
    /// duplicate alone, and not of one that begins while 64 others are under way.
    pub const DUPLICATE: u32 = 1 << 3;
    /// [`super::HandleOpen::granted`]: of an open that succeeded.
    pub const GRANTED: u32 = 1 << 4;
}

/// Bits of [`HandleOpen::flags`].
pub mod flags {
    /// The object is a thread, and `target_tid` its id; else a process.
    pub const THREAD: u32 = 1 << 0;
    /// A copy of a handle that there was (`OB_OPERATION_HANDLE_DUPLICATE`).
    pub const DUPLICATE: u32 = 1 << 1;
    /// A handle of the kernel's, out of reach of processes.
    pub const KERNEL: u32 = 1 << 2;
}

/// A handle to a process or a thread was made, or was refused once drivers had been asked (pages
/// "OB_PRE_OPERATION_INFORMATION" and "OB_POST_OPERATION_INFORMATION").
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HandleOpen {
    /// Kind [`crate::record::Kind::HandleOpen`].
    pub header: RecordHeader,
    /// Start key of the process that opens.
    pub source_key: u64,
    /// Start key of the process that is opened, or whose thread is.
    pub target_key: u64,
    /// Start key of the process that the opening thread is attached to.
    pub attached_key: u64,
    /// Start key of the process whose handle is duplicated.
    pub from_key: u64,
    /// Start key of the process that gets the duplicate.
    pub to_key: u64,
    /// The process that opens: the one that the thread belongs to.
    pub source_pid: u32,
    /// The thread that opens.
    pub source_tid: u32,
    /// The process that is opened, or whose thread is.
    pub target_pid: u32,
    /// The thread that is opened; 0 for a process.
    pub target_tid: u32,
    /// The process that the opening thread is attached to, if it is not its own.
    pub attached_pid: u32,
    /// The process whose handle is duplicated.
    pub from_pid: u32,
    /// The process that gets the duplicate.
    pub to_pid: u32,
    /// Rights that were asked for.
    pub original: u32,
    /// Rights that were left of them when this driver had its turn and was done.
    pub desired: u32,
    /// Rights that the handle has.
    pub granted: u32,
    /// NTSTATUS of the open.
    pub status: u32,
    /// Bits of [`known`].
    pub known: u32,
    /// Bits of [`flags`].
    pub flags: u32,
    /// Zero.
    pub reserved: u32,
}

const _: () = {
    assert!(size_of::<HandleOpen>() == 120);
    assert!(core::mem::offset_of!(HandleOpen, source_pid) == 64);
    assert!(core::mem::offset_of!(HandleOpen, original) == 92);
};
