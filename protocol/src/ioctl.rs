//! Control codes, the device's names, and the fixed structures that travel with the codes.

use crate::record::PerKind;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The control device, in the object manager's name space.
pub const DEVICE_NAME: &str = r"\Device\ntwatch";
/// The symbolic link that makes [`WIN32_NAME`] work.
pub const LINK_NAME: &str = r"\DosDevices\ntwatch";
/// What a client passes to `CreateFileW`.
pub const WIN32_NAME: &str = r"\\.\ntwatch";
/// Who may open the device: the system and administrators.
pub const SDDL: &str = "D:P(A;;GA;;;SY)(A;;GA;;;BA)";

/// Handles open at once, each a session of its own.
pub const MAX_SESSIONS: usize = 16;
/// READ_EVENTS requests that one session may have pended.
pub const MAX_PENDED_READS: u32 = 4;

/// The status that every pended read gets when `SHUTDOWN` was asked for, and every open and read
/// after it: `STATUS_SHUTDOWN_IN_PROGRESS`, in Win32 `ERROR_SHUTDOWN_IN_PROGRESS` (1115).
pub const STATUS_SHUTDOWN: u32 = 0xC000_02FE;

/// The status of an open beyond [`MAX_SESSIONS`]: `STATUS_TOO_MANY_OPENED_FILES`.
pub const STATUS_TOO_MANY_SESSIONS: u32 = 0xC000_011F;

/// `STATUS_PRIVILEGE_NOT_HELD`: in Win32 `ERROR_PRIVILEGE_NOT_HELD` (1314).
pub const STATUS_PRIVILEGE_NOT_HELD: u32 = 0xC000_0061;
/// `STATUS_NOT_SUPPORTED`: the answer to a rule about a right that Windows lets no driver take
/// away, and to a MAP_RING that cannot be had. In Win32 `ERROR_NOT_SUPPORTED` (50).
pub const STATUS_NOT_SUPPORTED: u32 = 0xC000_00BB;
/// `STATUS_NOT_FOUND`: in Win32 `ERROR_NOT_FOUND` (1168).
pub const STATUS_NOT_FOUND: u32 = 0xC000_0225;
/// `STATUS_QUOTA_EXCEEDED`: the answer to a rule beyond [`crate::protect::MAX_RULES`]. In Win32
/// `ERROR_NOT_ENOUGH_QUOTA` (1816).
pub const STATUS_QUOTA_EXCEEDED: u32 = 0xC000_0044;

const FILE_DEVICE_NTWATCH: u32 = 0x9A17;
const METHOD_BUFFERED: u32 = 0;
const METHOD_OUT_DIRECT: u32 = 2;
const FILE_READ_DATA: u32 = 1;
const FILE_WRITE_DATA: u32 = 2;

/// `CTL_CODE` of `devioctl.h` (page "Defining I/O Control Codes").
const fn ctl_code(function: u32, method: u32, access: u32) -> u32 {
    (FILE_DEVICE_NTWATCH << 16) | (access << 14) | (function << 2) | method
}

/// Out: [`Version`]. The one request whose first 8 bytes mean the same in every version.
pub const GET_VERSION: u32 = ctl_code(0x800, METHOD_BUFFERED, FILE_READ_DATA);
/// In: [`crate::configure::ConfigureHeader`] and its clauses. The session sees events from here
/// on. A later one replaces mask and filter; the ring stays as it is.
pub const CONFIGURE: u32 = ctl_code(0x801, METHOD_BUFFERED, FILE_READ_DATA);
/// Out: whole records, as many as fit, into a buffer of at least
/// [`crate::record::MAX_RECORD_SIZE`] bytes. Pends until there is one.
pub const READ_EVENTS: u32 = ctl_code(0x802, METHOD_OUT_DIRECT, FILE_READ_DATA);
/// In: [`crate::mapped::MapRing`], out: [`crate::mapped::MappedRing`]. The session's ring is one
/// that the client reads in place; READ_EVENTS is not for it then. Before the first CONFIGURE, in
/// which the session's events begin. Refused with [`STATUS_NOT_SUPPORTED`] to a 32-bit process,
/// which has no 64-bit positions, and to kernel mode.
pub const MAP_RING: u32 = ctl_code(0x803, METHOD_BUFFERED, FILE_READ_DATA);
/// Out: [`Stats`]. Also has what is missing announced, if there is room for it by now: a client
/// that reads its ring in place makes room without the driver's knowing.
pub const GET_STATS: u32 = ctl_code(0x804, METHOD_BUFFERED, FILE_READ_DATA);
/// In: [`crate::protect::Rule`]. The rule ends with the session or with the process that it is
/// about; a second one about the same process takes its place. Wants `SeDebugPrivilege`, as the
/// other requests about protection do, enabled in the caller's token; without it the answer is
/// [`STATUS_PRIVILEGE_NOT_HELD`].
pub const PROTECT_ADD: u32 = ctl_code(0x805, METHOD_BUFFERED, FILE_WRITE_DATA);
/// In: [`crate::protect::Target`]. Ends every session's rules about that process. Without any the
/// answer is [`STATUS_NOT_FOUND`].
pub const PROTECT_REMOVE: u32 = ctl_code(0x806, METHOD_BUFFERED, FILE_WRITE_DATA);
/// Out: [`crate::protect::Listed`], as many as there are in all sessions; the buffer has room for
/// [`crate::protect::MAX_RULES`].
pub const PROTECT_LIST: u32 = ctl_code(0x807, METHOD_BUFFERED, FILE_READ_DATA);
/// Nothing in, nothing out. Ends all pended reads with [`STATUS_SHUTDOWN`] and refuses new ones,
/// so that handles close and the driver can be unloaded. Rules stay until the handles of their
/// sessions close; the requests about them get the same status, so that who keeps one goes.
pub const SHUTDOWN: u32 = ctl_code(0x808, METHOD_BUFFERED, FILE_WRITE_DATA);

/// What a driver answers to [`GET_VERSION`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Version {
    /// Bytes of this structure.
    pub size: u32,
    /// [`crate::PROTOCOL_MAJOR`] of the driver.
    pub protocol_major: u16,
    /// [`crate::PROTOCOL_MINOR`] of the driver.
    pub protocol_minor: u16,
    /// Major, minor, patch and build of the driver.
    pub driver_version: [u16; 4],
    /// Differs for each load of the driver: the system time of its `DriverEntry`.
    pub driver_load_id: u64,
    /// Bit mask of the kinds of event that this driver offers.
    pub kinds: u32,
    /// No record is larger, in bytes.
    pub max_record_size: u32,
}

/// What a driver answers to [`GET_STATS`]. Every array is counted since the driver was loaded,
/// or since the session was configured, and indexed by [`crate::record::Kind`].
///
/// Per kind: `offered = captured + capture_lost`, and for the session that asked
/// `session_captured = delivered + filtered + session_lost + queued`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Stats {
    /// Bytes of this structure.
    pub size: u32,
    /// Sessions open now, this one among them.
    pub sessions: u32,
    /// Bytes of the capture ring.
    pub capture_ring_size: u32,
    /// Bytes of this session's ring; 0 before CONFIGURE.
    pub session_ring_size: u32,
    /// READ_EVENTS requests of this session that are pended.
    pub pended_reads: u32,
    /// Sessions, of those open, whose rings are read in place.
    pub mapped_sessions: u32,
    /// The sequence number that the next event gets.
    pub next_seq: u64,
    /// Events that a callback wanted to report while a session listened.
    pub offered: PerKind,
    /// Of those, the ones that the capture ring took.
    pub captured: PerKind,
    /// Of those, the ones that it had no room for.
    pub capture_lost: PerKind,
    /// Events that the worker held against this session's mask and filter.
    pub session_captured: PerKind,
    /// Of those, the ones that a read has carried away, or that the client has passed in its
    /// mapped ring, as far as it has told.
    pub delivered: PerKind,
    /// Of those, the ones that the mask or the filter left out.
    pub filtered: PerKind,
    /// Of those, the ones that the session's ring had no room for.
    pub session_lost: PerKind,
    /// Of those, the ones that wait in the session's ring.
    pub queued: PerKind,
}

const _: () = {
    assert!(size_of::<Version>() == 32);
    assert!(core::mem::offset_of!(Version, driver_load_id) == 16);
    assert!(size_of::<Stats>() == 32 + 8 * 128);
    assert!(core::mem::offset_of!(Stats, offered) == 32);
    // FILE_ANY_ACCESS would let a handle without rights in.
    assert!(GET_VERSION >> 14 & 3 != 0 && SHUTDOWN >> 14 & 3 != 0);
    assert!(READ_EVENTS == 0x9A17_600A);
};
