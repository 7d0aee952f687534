//! Driver object extensions.

use crate::ex::ExAllocatePool2;
use core::ffi::c_void;
use core::ptr;
use std::sync::{Mutex, PoisonError};
use windows_sys::Win32::Foundation::{
    NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_OBJECT_NAME_COLLISION, STATUS_SUCCESS,
};

const TAG: u32 = u32::from_le_bytes(*b"Shim");

/// The addresses of driver object, key and extension. N.B. they stay when the driver goes: so does
/// its process then.
static EXTENSIONS: Mutex<Vec<[usize; 3]>> = Mutex::new(Vec::new());

fn find(driver: usize, key: usize) -> Option<usize> {
    let all = EXTENSIONS.lock().unwrap_or_else(PoisonError::into_inner);
    let known = all.iter().find(|known| known[..2] == [driver, key]);
    known.map(|[_, _, extension]| *extension)
}

/// Page "IoAllocateDriverObjectExtension".
///
/// # Safety
/// A place for the extension.
#[unsafe(no_mangle)]
unsafe extern "system" fn IoAllocateDriverObjectExtension(
    driver: usize,
    key: usize,
    size: u32,
    extension: *mut *mut c_void,
) -> NTSTATUS {
    // SAFETY: the caller's promise.
    unsafe { extension.write(ptr::null_mut()) };
    if find(driver, key).is_some() {
        return STATUS_OBJECT_NAME_COLLISION;
    }
    let block = ExAllocatePool2(0, size as usize, TAG);
    if block.is_null() {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    let mut all = EXTENSIONS.lock().unwrap_or_else(PoisonError::into_inner);
    all.push([driver, key, block.expose_provenance()]);
    // SAFETY: the caller's promise.
    unsafe { extension.write(block) };
    STATUS_SUCCESS
}

/// Page "IoGetDriverObjectExtension".
#[unsafe(no_mangle)]
extern "system" fn IoGetDriverObjectExtension(driver: usize, key: usize) -> *mut c_void {
    find(driver, key).map_or(ptr::null_mut(), ptr::with_exposed_provenance_mut)
}
