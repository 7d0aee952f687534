//! Lines for the kernel debugger.

use core::ffi::CStr;
use wdk_sys::NTSTATUS;
use wdk_sys::ntddk::DbgPrint;

/// Says that `what` failed. IRQL ≤ DISPATCH_LEVEL.
pub(crate) fn print_failure(what: &CStr, status: NTSTATUS) {
    const FORMAT: &CStr = c"ntwatch: %s failed with status 0x%08X\n";
    // SAFETY: both strings end with a NUL, and the arguments are those that the format names.
    unsafe { DbgPrint(FORMAT.as_ptr(), what.as_ptr(), status) };
}
