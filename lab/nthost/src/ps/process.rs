//! The process object and what a process is made from.

use super::id::Id;
use crate::ob::{HandleTable, Kind, Object, ObjectRef};
use crate::se::Token;
use std::sync::atomic::{AtomicI32, Ordering};
use windows_sys::Win32::Foundation::{NTSTATUS, STATUS_PENDING};

/// A process to be. `None` is what is left to the kernel, or what nobody can tell.
#[derive(Clone, Debug, Default)]
pub struct NewProcess {
    /// Its id; otherwise the kernel chooses one.
    pub id: Option<u32>,
    /// Its start key; otherwise the kernel counts on.
    pub key: Option<u64>,
    /// 100 ns units since 1601, UTC; otherwise now.
    pub create_time: Option<i64>,
    /// The parent; otherwise the creator.
    pub parent: Option<Parent>,
    /// The name it is created by, such as `\??\C:\…`.
    pub image_name: Option<String>,
    /// The image's full path, such as `\Device\HarddiskVolume3\…`.
    pub image_path: Option<String>,
    /// The command line; for a subsystem process the arguments, each ended by a NUL.
    pub command_line: Option<String>,
    /// Its primary token.
    pub token: Token,
    /// Is it a 32-bit process?
    pub wow64: Option<bool>,
    /// `PS_PROTECTION`.
    pub protection: Option<u8>,
    /// Is it a process of the Windows Subsystem for Linux?
    pub wsl: bool,
}

/// Who a process inherits from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parent {
    /// Its id, by now perhaps that of another.
    pub id: u32,
    /// Its start key, if it is known who that was.
    pub key: Option<u64>,
}

/// A modelled process.
#[derive(Debug)]
pub struct Process {
    /// Its id.
    pub id: u32,
    /// Its start key: the boot's number in the upper 16 bits, a count in the others.
    pub key: u64,
    /// 100 ns units since 1601, UTC.
    pub create_time: i64,
    /// Who it inherits from.
    pub parent: Option<Parent>,
    /// Its primary token.
    pub token: ObjectRef<Token>,
    /// The name it was created by, UTF-16.
    pub image_name: Option<Vec<u16>>,
    /// The image's full path, UTF-16.
    pub image_path: Option<Vec<u16>>,
    /// The command line, UTF-16.
    pub command_line: Option<Vec<u16>>,
    /// Is it a 32-bit process?
    pub wow64: Option<bool>,
    /// `PS_PROTECTION`.
    pub protection: Option<u8>,
    /// Is it a process of the Windows Subsystem for Linux?
    pub wsl: bool,
    /// Its open handles.
    pub handles: HandleTable,
    pub(super) order: u64,
    pub(super) exit_status: AtomicI32,
    _id: Id,
}

impl Object for Process {
    const KIND: Kind = Kind::Process;
    fn describe(&self) -> String {
        format!("pid {}", self.id)
    }
}

impl Process {
    /// `order` counts the machine's processes; `key` and `time` are for what `new` leaves open.
    pub(super) fn new(
        new: NewProcess,
        id: Id,
        token: ObjectRef<Token>,
        order: u64,
        key: u64,
        time: i64,
    ) -> Process {
        Process {
            id: id.value(),
            key: new.key.unwrap_or(key),
            create_time: new.create_time.unwrap_or(time),
            parent: new.parent,
            token,
            image_name: new.image_name.as_deref().map(wide),
            image_path: new.image_path.as_deref().map(wide),
            command_line: new.command_line.as_deref().map(wide),
            wow64: new.wow64,
            protection: new.protection,
            wsl: new.wsl,
            handles: HandleTable::default(),
            order,
            exit_status: AtomicI32::new(STATUS_PENDING),
            _id: id,
        }
    }

    /// Is it the same process? A source may have made it twice, as recordings tell of a process
    /// before its start.
    pub(crate) fn is(&self, other: &Process) -> bool {
        (self.id, self.key) == (other.id, other.key)
    }

    /// What it ended with; `STATUS_PENDING` while it runs.
    pub fn exit_status(&self) -> NTSTATUS {
        self.exit_status.load(Ordering::Relaxed)
    }
}

/// The longest text that a `UNICODE_STRING` holds, in UTF-16 units.
const MAX_UNITS: usize = u16::MAX as usize / 2;

/// `text` as it goes into a `UNICODE_STRING`, cut to what that holds.
pub(super) fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().take(MAX_UNITS).collect()
}
