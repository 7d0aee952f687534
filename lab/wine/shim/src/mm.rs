//! System space, of which there is none: a driver of Wine's is one process among others, and cannot
//! open handles for them. So no ring is mapped; `ntwatch.exe` knows, and does not ask.

use core::ffi::c_void;
use windows_sys::Win32::Foundation::{NTSTATUS, STATUS_NOT_SUPPORTED, STATUS_SUCCESS};

/// Page "MmMapViewInSystemSpace".
#[unsafe(no_mangle)]
extern "system" fn MmMapViewInSystemSpace(
    _: *mut c_void,
    _: *mut *mut c_void,
    _: *mut usize,
) -> NTSTATUS {
    STATUS_NOT_SUPPORTED
}

/// Page "MmUnmapViewInSystemSpace". There is no view.
#[unsafe(no_mangle)]
extern "system" fn MmUnmapViewInSystemSpace(_: *mut c_void) -> NTSTATUS {
    STATUS_SUCCESS
}
