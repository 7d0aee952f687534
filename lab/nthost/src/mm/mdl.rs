//! Memory descriptor lists.
//!
//! Driver and client memory are in one address space here, so an MDL maps by naming the address
//! it describes. There are no page frames behind it.

use std::ffi::c_void;

use windows_sys::Wdk::Foundation::MDL;

use crate::exports::exports;
use crate::ke::bug_check;

exports! {
    DISPATCH_LEVEL: MmMapLockedPagesSpecifyCache, MmUnmapLockedPages, MmBuildMdlForNonPagedPool;
}

const PAGE: usize = 4096;
const MDL_MAPPED_TO_SYSTEM_VA: i16 = 0x1;
const MDL_PAGES_LOCKED: i16 = 0x2;
const MDL_SOURCE_IS_NONPAGED_POOL: i16 = 0x4;
const USER_MODE: i8 = 1;

/// The MDL of a client's buffer, locked, as the I/O manager makes it for direct I/O.
pub struct UserMdl(Box<MDL>);

// SAFETY: an MDL is a description; who may use the memory it names is the IRP's business, which
// it travels with.
unsafe impl Send for UserMdl {}
// SAFETY: as above.
unsafe impl Sync for UserMdl {}

impl UserMdl {
    /// Describes `length` bytes at `buffer`, which must stay in place as long as the MDL.
    pub fn new(buffer: *mut c_void, length: u32) -> UserMdl {
        UserMdl(Box::new(MDL {
            Size: size_of::<MDL>() as i16,
            MdlFlags: MDL_PAGES_LOCKED,
            StartVa: buffer.map_addr(|address| address & !(PAGE - 1)),
            ByteCount: length,
            ByteOffset: (buffer.addr() % PAGE) as u32,
            ..MDL::default()
        }))
    }

    /// What the IRP points to.
    pub fn as_ptr(&mut self) -> *mut MDL {
        &raw mut *self.0
    }
}

/// The address an MDL describes.
fn described(mdl: &MDL) -> *mut c_void {
    mdl.StartVa.wrapping_byte_add(mdl.ByteOffset as usize)
}

/// IRQL ≤ DISPATCH_LEVEL for kernel mode. Locked pages only.
unsafe extern "win64" fn MmMapLockedPagesSpecifyCache(
    mdl: *mut MDL,
    mode: i8,
    _cache: i32,
    _address: *mut c_void,
    _bug_check: u32,
    _priority: u32,
) -> *mut c_void {
    // SAFETY: the driver passes an MDL that it may use.
    let mdl = unsafe { &mut *mdl };
    if mode == USER_MODE {
        bug_check!(
            DRIVER_VERIFIER_DETECTED_VIOLATION,
            "an MDL is mapped to user mode, which can raise an exception nobody here could catch"
        );
    }
    if mdl.MdlFlags & (MDL_PAGES_LOCKED | MDL_SOURCE_IS_NONPAGED_POOL) == 0 {
        bug_check!(
            DRIVER_VERIFIER_DETECTED_VIOLATION,
            "an MDL is mapped whose pages are not locked"
        );
    }
    mdl.MappedSystemVa = described(mdl);
    mdl.MdlFlags |= MDL_MAPPED_TO_SYSTEM_VA;
    mdl.MappedSystemVa
}

/// IRQL ≤ DISPATCH_LEVEL.
unsafe extern "win64" fn MmUnmapLockedPages(address: *mut c_void, mdl: *mut MDL) {
    // SAFETY: the driver passes an MDL that it may use.
    let mdl = unsafe { &mut *mdl };
    if mdl.MappedSystemVa != address || mdl.MdlFlags & MDL_MAPPED_TO_SYSTEM_VA == 0 {
        bug_check!(
            DRIVER_VERIFIER_DETECTED_VIOLATION,
            "an MDL is unmapped from {address:p}, where it is not mapped"
        );
    }
    mdl.MdlFlags &= !MDL_MAPPED_TO_SYSTEM_VA;
}

/// IRQL ≤ DISPATCH_LEVEL.
unsafe extern "win64" fn MmBuildMdlForNonPagedPool(mdl: *mut MDL) {
    // SAFETY: the driver passes an MDL that it may use.
    let mdl = unsafe { &mut *mdl };
    mdl.MappedSystemVa = described(mdl);
    mdl.MdlFlags |= MDL_SOURCE_IS_NONPAGED_POOL;
}
