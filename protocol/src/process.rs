//! Process start and exit. A process is (pid, start key) everywhere: pids are reused.

use crate::record::{RecordHeader, Span};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Bits of [`ProcessStart::known`]: which of the optional numbers Windows gave.
pub mod known {
    /// [`super::ProcessStart::parent_key`].
    pub const PARENT_KEY: u32 = 1 << 0;
    /// [`super::ProcessStart::creator_key`].
    pub const CREATOR_KEY: u32 = 1 << 1;
    /// [`super::ProcessStart::logon_id`].
    pub const LOGON_ID: u32 = 1 << 2;
    /// [`super::ProcessStart::session_id`].
    pub const SESSION_ID: u32 = 1 << 3;
    /// [`super::ProcessStart::integrity`].
    pub const INTEGRITY: u32 = 1 << 4;
    /// [`super::flags::ELEVATED`].
    pub const ELEVATED: u32 = 1 << 5;
    /// [`super::flags::WOW64`].
    pub const WOW64: u32 = 1 << 6;
    /// [`super::ProcessStart::protection`].
    pub const PROTECTION: u32 = 1 << 7;
    /// [`super::ProcessStart::subsystem`].
    pub const SUBSYSTEM: u32 = 1 << 8;
    /// [`super::ProcessStart::creation_status`].
    pub const CREATION_STATUS: u32 = 1 << 9;
}

/// Bits of [`ProcessStart::flags`].
pub mod flags {
    /// `FileOpenNameAvailable`: the image name is the exact name that was opened.
    pub const IMAGE_EXACT: u32 = 1 << 0;
    /// `IsSubsystemProcess`: not a Win32 process.
    pub const SUBSYSTEM_PROCESS: u32 = 1 << 1;
    /// The token is elevated.
    pub const ELEVATED: u32 = 1 << 2;
    /// A 32-bit process on 64-bit Windows.
    pub const WOW64: u32 = 1 << 3;
}

/// Whose a process or a thread is (page "SUBSYSTEM_INFORMATION_TYPE").
pub mod subsystem {
    /// `SubsystemInformationTypeWin32`.
    pub const WIN32: u32 = 0;
    /// `SubsystemInformationTypeWSL`.
    pub const WSL: u32 = 1;
}

/// A process was created (page "PS_CREATE_NOTIFY_INFO"), with what the worker found out since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct ProcessStart {
    /// Kind [`crate::record::Kind::ProcessStart`].
    pub header: RecordHeader,
    /// Start key of the process (page "PsGetProcessStartKey").
    pub key: u64,
    /// 100 ns units since 1601, UTC.
    pub create_time: i64,
    /// Start key of the parent.
    pub parent_key: u64,
    /// Start key of the process whose thread created this one.
    pub creator_key: u64,
    /// `AuthenticationId` of the token, a LUID.
    pub logon_id: u64,
    /// Process id.
    pub pid: u32,
    /// The process that handles and settings are inherited from; a creator may name another.
    pub parent_pid: u32,
    /// The process whose thread created this one.
    pub creator_pid: u32,
    /// That thread.
    pub creator_tid: u32,
    /// Bits of [`known`].
    pub known: u32,
    /// Bits of [`flags`].
    pub flags: u32,
    /// Terminal Services session.
    pub session_id: u32,
    /// The integrity level's RID, such as 0x2000 for medium.
    pub integrity: u32,
    /// `PS_PROTECTION`, one byte: type, audit, signer.
    pub protection: u32,
    /// A value of [`subsystem`].
    pub subsystem: u32,
    /// NTSTATUS: what another driver has refused the creation with, before this one was told.
    pub creation_status: u32,
    /// Zero.
    pub reserved: u32,
    /// UTF-16LE: the name as the notify routine saw it: `\??\C:\…`, or for WSL the Linux path.
    pub image_name: Span,
    /// UTF-16LE: the full path that the worker found: `\Device\…`.
    pub image_path: Span,
    /// UTF-16LE; for WSL the arguments, each ended by a NUL.
    pub command_line: Span,
    /// The user's SID, binary.
    pub user: Span,
}

/// A process ended. `pid` and `key` are those of its start, announced or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct ProcessExit {
    /// Kind [`crate::record::Kind::ProcessExit`].
    pub header: RecordHeader,
    /// Start key of the process.
    pub key: u64,
    /// 100 ns units since 1601, UTC.
    pub create_time: i64,
    /// Process id.
    pub pid: u32,
    /// The NTSTATUS or exit code that it ended with.
    pub exit_status: u32,
    /// UTF-16LE: the full path, else the name that its start had.
    pub image: Span,
}

const _: () = {
    assert!(size_of::<ProcessStart>() == 144);
    assert!(core::mem::offset_of!(ProcessStart, pid) == 64);
    assert!(core::mem::offset_of!(ProcessStart, image_name) == 112);
    assert!(size_of::<ProcessExit>() == 56);
    assert!(core::mem::offset_of!(ProcessExit, image) == 48);
};
