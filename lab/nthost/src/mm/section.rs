//! Sections: memory that can be mapped in several processes.

use super::View;
use crate::Current;
use crate::exports::exports;
use crate::ke::bug_check;
use crate::ob::{Kind, Object, ObjectRef, handle, security as object_security};
use crate::rtl::security;
use rustix::fs::{
    MemfdFlags, Mode, OFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create, open,
};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use windows_sys::Wdk::Foundation::OBJECT_ATTRIBUTES;
use windows_sys::Win32::Foundation::{
    NTSTATUS, STATUS_COMMITMENT_LIMIT, STATUS_INVALID_PARAMETER_4, STATUS_SECTION_TOO_BIG,
    STATUS_SUCCESS,
};
use windows_sys::Win32::System::Memory::{PAGE_READWRITE, SEC_COMMIT};

exports! {
    PASSIVE_LEVEL: ZwCreateSection;
}

const PAGE: usize = 4096;

/// A section without a file: what its views share.
#[derive(Debug)]
pub(crate) struct Section {
    memory: OwnedFd,
    size: usize,
    /// Self-relative, or empty if it was made without.
    descriptor: Vec<u8>,
}

impl Object for Section {
    const KIND: Kind = Kind::Section;
    fn describe(&self) -> String {
        format!("of {} bytes", self.size)
    }
}

impl Section {
    /// A section of `size` bytes, whole pages, all of them 0.
    ///
    /// # Errors
    /// When the host has no memory or no descriptor left for it.
    pub(crate) fn new(size: usize, descriptor: Vec<u8>) -> io::Result<Section> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let memory = memfd_create("section", flags)?;
        ftruncate(&memory, size as u64)?;
        // Nobody who is given it can take the memory from under another's view.
        fcntl_add_seals(
            &memory,
            SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL,
        )?;
        Ok(Section {
            memory,
            size,
            descriptor,
        })
    }

    /// Its size in bytes.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// What protects it, as [`crate::se::access_check`] takes it.
    pub(crate) fn descriptor(&self) -> &[u8] {
        &self.descriptor
    }

    /// Its memory for another process, to be mapped to read or to write and read. Through what is
    /// to be read it cannot be mapped or made writable. N.B. A process of the same user can open
    /// the file anew, through `/proc`.
    ///
    /// # Errors
    /// When the host has no descriptor left for it.
    pub(crate) fn file(&self, writable: bool) -> io::Result<OwnedFd> {
        let access = match writable {
            true => OFlags::RDWR,
            false => OFlags::RDONLY,
        };
        let path = format!("/proc/self/fd/{}", self.memory.as_raw_fd());
        Ok(open(path, access | OFlags::CLOEXEC, Mode::empty())?)
    }

    /// Maps all of it.
    ///
    /// # Errors
    /// When the host has no room for it.
    pub(crate) fn map(&self, writable: bool) -> io::Result<View> {
        View::map(self.file(writable)?, self.size, writable)
    }
}

/// IRQL = PASSIVE_LEVEL. Page "ZwCreateSection". Of the system if the attributes ask for a kernel
/// handle, else of the current process.
///
/// Memory to read and write alone, without a file or a name. A driver is granted what it asks for;
/// the descriptor decides for others.
///
/// N.B. Before Windows 8.1 the descriptor of a section without a name was ignored.
pub(super) unsafe extern "win64" fn ZwCreateSection(
    handle: *mut usize,
    desired: u32,
    attributes: *const OBJECT_ATTRIBUTES,
    size: *const i64,
    protection: u32,
    allocation: u32,
    file: usize,
) -> NTSTATUS {
    // SAFETY: the driver passes valid attributes or null.
    let attributes = unsafe { attributes.as_ref() };
    // SAFETY: the driver passes a size or null.
    let size = unsafe { size.as_ref() };
    let is_named = attributes.is_some_and(|attributes| !attributes.ObjectName.is_null());
    if file != 0 || is_named || protection != PAGE_READWRITE || allocation != SEC_COMMIT {
        bug_check!(
            DRIVER_VERIFIER_DETECTED_VIOLATION,
            "a section with protection {protection:#x}, allocation {allocation:#x}, file {file:#x} or a name, which this kernel has none of"
        );
    }
    let Some(size) = size.and_then(|size| usize::try_from(*size).ok()) else {
        return STATUS_INVALID_PARAMETER_4;
    };
    if size == 0 {
        return STATUS_INVALID_PARAMETER_4;
    }
    let Some(size) = size.checked_next_multiple_of(PAGE) else {
        return STATUS_SECTION_TOO_BIG;
    };
    let (kernel, token) = Current::with(|current| {
        let kernel = Arc::clone(&current.kernel);
        (kernel, current.thread.effective_token())
    });
    let descriptor = match attributes.map(|attributes| attributes.SecurityDescriptor) {
        Some(descriptor) if !descriptor.is_null() => {
            // SAFETY: the driver passes a valid descriptor.
            unsafe { security::capture(descriptor.cast(), &token) }
        }
        _ => Vec::new(),
    };
    if !kernel.mm.has_room_for_section(&kernel.objects) {
        return STATUS_COMMITMENT_LIMIT;
    }
    let Ok(section) = Section::new(size, descriptor) else {
        return STATUS_COMMITMENT_LIMIT;
    };
    let section = ObjectRef::new(&kernel.objects, section).into_any();
    let attributes = attributes.map_or(0, |attributes| attributes.Attributes);
    let desired = object_security::specific(&section, desired);
    match handle::open(&section, attributes, desired) {
        Ok(value) => {
            // SAFETY: the driver passes a place for the handle.
            unsafe { handle.write(value) };
            STATUS_SUCCESS
        }
        Err(status) => status,
    }
}
