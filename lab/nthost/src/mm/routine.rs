//! The kernel's functions by name, at run time.

use std::ffi::c_void;
use std::ptr;

use windows_sys::Win32::Foundation::UNICODE_STRING;

use crate::Current;
use crate::exports::{self, exports};
use crate::rtl::text;

exports! {
    PASSIVE_LEVEL: MmGetSystemRoutineAddress;
}

/// IRQL = PASSIVE_LEVEL. Null for what this kernel does not have.
unsafe extern "win64" fn MmGetSystemRoutineAddress(name: *const UNICODE_STRING) -> *mut c_void {
    // SAFETY: the driver passes a valid string.
    let name = unsafe { text(name) };
    let address = |export| Current::with(|current| current.kernel.modules.address(export));
    exports::find(&name).map_or(ptr::null_mut(), |export| address(export) as *mut c_void)
}
