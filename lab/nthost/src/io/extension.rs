//! Driver object extensions: memory that a driver, or its framework, hangs on its driver object.

use std::ffi::c_void;
use std::ptr;

use windows_sys::Wdk::Foundation::DRIVER_OBJECT;
use windows_sys::Win32::Foundation::{
    NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_OBJECT_NAME_COLLISION, STATUS_SUCCESS,
};

use super::Driver;
use crate::Current;
use crate::exports::exports;
use crate::ob::ObjectRef;

exports! {
    DISPATCH_LEVEL: IoAllocateDriverObjectExtension, IoGetDriverObjectExtension;
}

/// Pool tag of driver object extensions.
pub(super) const TAG: u32 = u32::from_le_bytes(*b"Driv");

/// IRQL ≤ DISPATCH_LEVEL. The memory is zeroed and lives as long as the driver object.
unsafe extern "win64" fn IoAllocateDriverObjectExtension(
    driver: *mut DRIVER_OBJECT,
    id: *mut c_void,
    size: u32,
    extension: *mut *mut c_void,
) -> NTSTATUS {
    // SAFETY: the driver passes its driver object, which is the start of a `Driver` body.
    let driver = unsafe { ObjectRef::from_body(driver.cast::<Driver>()) };
    // SAFETY: the driver passes a place for the pointer.
    let extension = unsafe { &mut *extension };
    *extension = ptr::null_mut();
    let mut extensions = driver.extensions.lock().unwrap();
    if extensions.contains_key(&id.addr()) {
        return STATUS_OBJECT_NAME_COLLISION;
    }
    let pool = |current: &Current| current.kernel.pool.allocate(size as usize, 16, TAG, 0);
    let memory = Current::with(pool);
    if memory.is_null() {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    extensions.insert(id.addr(), memory.addr());
    *extension = memory;
    STATUS_SUCCESS
}

/// IRQL ≤ DISPATCH_LEVEL. Null if there is none.
unsafe extern "win64" fn IoGetDriverObjectExtension(
    driver: *mut DRIVER_OBJECT,
    id: *mut c_void,
) -> *mut c_void {
    // SAFETY: the driver passes its driver object, which is the start of a `Driver` body.
    let driver = unsafe { ObjectRef::from_body(driver.cast::<Driver>()) };
    let extensions = driver.extensions.lock().unwrap();
    extensions
        .get(&id.addr())
        .map_or(ptr::null_mut(), |&memory| memory as *mut c_void)
}
