//! Generic rights, and what they stand for with objects of each type (page "Generic Access
//! Rights").

use windows_sys::Win32::Foundation::{GENERIC_ALL, GENERIC_EXECUTE, GENERIC_READ, GENERIC_WRITE};

/// What the four generic rights stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GenericMapping {
    pub(crate) read: u32,
    pub(crate) write: u32,
    pub(crate) execute: u32,
    pub(crate) all: u32,
}

/// Files and devices (page "File Access Rights Constants").
pub(crate) const FILE: GenericMapping = GenericMapping {
    read: 0x0012_0089,
    write: 0x0012_0116,
    execute: 0x0012_00a0,
    all: 0x001f_01ff,
};

/// Sections (page "File Mapping Security and Access Rights").
pub(crate) const SECTION: GenericMapping = GenericMapping {
    read: 0x0002_0005,
    write: 0x0002_0002,
    execute: 0x0002_0008,
    all: 0x000f_001f,
};

/// Events (page "Synchronization Object Security and Access Rights").
pub(crate) const EVENT: GenericMapping = GenericMapping {
    read: 0x0002_0001,
    write: 0x0002_0002,
    execute: 0x0012_0000,
    all: 0x001f_0003,
};

impl GenericMapping {
    /// `mask` with specific rights in place of generic ones.
    pub(crate) fn map(&self, mask: u32) -> u32 {
        let generic = [
            (GENERIC_READ, self.read),
            (GENERIC_WRITE, self.write),
            (GENERIC_EXECUTE, self.execute),
            (GENERIC_ALL, self.all),
        ];
        let asked = generic.iter().filter(|(generic, _)| mask & generic != 0);
        asked.fold(mask & 0x0fff_ffff, |mask, (_, rights)| mask | rights)
    }
}
