//! Images: programs, libraries and drivers that are mapped to be run. Mappings that cannot be run
//! are not told of.

use crate::record::{RecordHeader, Span};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Bits of [`ImageLoad::known`]: which of the optional numbers Windows gave.
pub mod known {
    /// [`super::ImageLoad::pid`]; not of a kernel image.
    pub const PID: u32 = 1 << 0;
    /// [`super::ImageLoad::key`].
    pub const KEY: u32 = 1 << 1;
    /// [`super::ImageLoad::base`].
    pub const BASE: u32 = 1 << 2;
    /// [`super::ImageLoad::size`].
    pub const SIZE: u32 = 1 << 3;
}

/// Bits of [`ImageLoad::flags`].
pub mod flags {
    /// Mapped into the kernel (`SystemModeImage`), not into a process.
    pub const KERNEL: u32 = 1 << 0;
    /// `ImagePartialMap`: not all of it.
    pub const PARTIAL_MAP: u32 = 1 << 1;
    /// `MachineTypeMismatch`: made for another processor.
    pub const MACHINE_MISMATCH: u32 = 1 << 2;
}

/// An image was mapped (pages "PLOAD_IMAGE_NOTIFY_ROUTINE" and "IMAGE_INFO").
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct ImageLoad {
    /// Kind [`crate::record::Kind::ImageLoad`].
    pub header: RecordHeader,
    /// Start key of the process.
    pub key: u64,
    /// Where it lies.
    pub base: u64,
    /// In bytes.
    pub size: u64,
    /// The process that it is mapped into.
    pub pid: u32,
    /// Bits of [`known`].
    pub known: u32,
    /// Bits of [`flags`].
    pub flags: u32,
    /// `ImageSignatureLevel`, a `SE_SIGNING_LEVEL`; 0 for not checked.
    pub signature_level: u32,
    /// `ImageSignatureType`, a `SE_IMAGE_SIGNATURE_TYPE`; 0 for none.
    pub signature_type: u32,
    /// Zero.
    pub reserved: u32,
    /// UTF-16LE: its full name, which Windows does not always give.
    pub name: Span,
}

const _: () = {
    assert!(size_of::<ImageLoad>() == 80);
    assert!(core::mem::offset_of!(ImageLoad, pid) == 48);
    assert!(core::mem::offset_of!(ImageLoad, name) == 72);
};
