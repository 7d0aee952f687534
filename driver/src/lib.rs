//! ntwatch.sys.

#![no_std]

extern crate wdk_panic;

use wdk_alloc::WdkAllocator;
use wdk_sys::{DRIVER_OBJECT, NTSTATUS, PCUNICODE_STRING, STATUS_NOT_SUPPORTED};

#[global_allocator]
static GLOBAL_ALLOCATOR: WdkAllocator = WdkAllocator;

/// The driver's entry point.
// SAFETY: the framework's entry point calls this symbol, and no other crate exports it.
#[unsafe(export_name = "DriverEntry")]
pub extern "system" fn driver_entry(
    _driver: &mut DRIVER_OBJECT,
    _registry_path: PCUNICODE_STRING,
) -> NTSTATUS {
    STATUS_NOT_SUPPORTED
}
