//! `WdfVersionBind` and `WdfVersionUnbind`: what the stub linked into every KMDF driver calls
//! around its `DriverEntry`.
//!
//! N.B. Nothing is set up anywhere else: Wine 8 calls no entry point of a library.

use alloc::boxed::Box;
use core::ffi::c_void;
use core::ptr;

use windows_sys::Wdk::Foundation::DRIVER_OBJECT;
use windows_sys::Wdk::System::SystemServices::{
    IoAllocateDriverObjectExtension, IoGetDriverObjectExtension,
};
use windows_sys::Win32::Foundation::{
    STATUS_INVALID_PARAMETER, STATUS_REVISION_MISMATCH, STATUS_SUCCESS,
};

use crate::driver::{self, extension_key};
use crate::job::Jobs;
use crate::kmdf::*;
use crate::nt::{self, Error};
use crate::table;

const MAJOR: u32 = 1;
const MINOR: u32 = 31;

/// One driver's use of the framework, found again by its driver object. The driver knows the
/// first part of it.
#[repr(C)]
pub(crate) struct Binding {
    globals: WDF_DRIVER_GLOBALS,
    jobs: Jobs,
}

impl Binding {
    pub(crate) fn jobs(&self) -> &Jobs {
        &self.jobs
    }

    /// # Safety
    /// The driver object is a live one.
    pub(crate) unsafe fn of_driver_object(
        driver_object: *const DRIVER_OBJECT,
    ) -> Option<PWDF_DRIVER_GLOBALS> {
        // SAFETY: the caller's promise.
        let extension = unsafe { IoGetDriverObjectExtension(driver_object, extension_key()) };
        // SAFETY: `bind` made the extension to hold the globals.
        unsafe { extension.cast::<PWDF_DRIVER_GLOBALS>().as_ref() }.copied()
    }
}

/// Gives a driver the function table and its globals. PASSIVE_LEVEL.
///
/// # Safety
/// As the stub of WdfDriverEntry.lib calls it.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "system" fn WdfVersionBind(
    driver_object: *mut DRIVER_OBJECT,
    _registry_path: *const UNICODE_STRING,
    bind_info: *mut c_void,
    globals: *mut *mut c_void,
) -> NTSTATUS {
    if driver_object.is_null() || bind_info.is_null() || globals.is_null() {
        return STATUS_INVALID_PARAMETER;
    }
    // SAFETY: the caller's promise.
    let info = unsafe { &*bind_info.cast::<WDF_BIND_INFO>() };
    // SAFETY: likewise.
    match unsafe { bind(driver_object, info) } {
        Ok(bound) => {
            // SAFETY: the caller's place for the result.
            unsafe { globals.write(bound.cast()) };
            STATUS_SUCCESS
        }
        Err(status) => status,
    }
}

/// # Safety
/// As for `WdfVersionBind`.
unsafe fn bind(
    driver_object: *mut DRIVER_OBJECT,
    info: &WDF_BIND_INFO,
) -> Result<PWDF_DRIVER_GLOBALS, Error> {
    if info.Size as usize != size_of::<WDF_BIND_INFO>() || info.FuncTable.is_null() {
        return Err(STATUS_INVALID_PARAMETER);
    }
    // A newer driver asks for functions that 1.31 does not have.
    if info.Version.Major != MAJOR
        || info.Version.Minor > MINOR
        || info.FuncCount as usize > FUNCTION_COUNT
    {
        nt::debug_print(c"the driver was built for another KMDF than 1.31 or before");
        return Err(STATUS_REVISION_MISMATCH);
    }
    let binding = nt::try_box(Binding {
        globals: WDF_DRIVER_GLOBALS {
            Driver: ptr::null_mut(),
            DriverFlags: 0,
            DriverTag: u32::from_le_bytes(*b"WdfD"),
            DriverName: [0; 32],
            DisplaceDriverUnload: 0,
        },
        jobs: Jobs::new(),
    })?;
    binding.jobs.initialize();
    let mut extension = ptr::null_mut();
    // SAFETY: the caller's driver object; one pointer is stored below.
    nt::check(unsafe {
        IoAllocateDriverObjectExtension(
            driver_object,
            extension_key(),
            size_of::<PWDF_DRIVER_GLOBALS>() as u32,
            &mut extension,
        )
    })?;
    let globals: PWDF_DRIVER_GLOBALS = Box::into_raw(binding).cast();
    // SAFETY: the extension was allocated for this pointer.
    unsafe { extension.cast::<PWDF_DRIVER_GLOBALS>().write(globals) };
    // N.B. Since KMDF 1.15 the driver keeps a pointer to the framework's table, not a copy.
    // SAFETY: the driver's variable for it.
    unsafe { info.FuncTable.write(table::functions()) };
    Ok(globals)
}

/// Ends what [`WdfVersionBind`] began, with what the driver left behind. PASSIVE_LEVEL.
///
/// # Safety
/// As the stub of WdfDriverEntry.lib calls it, with the globals it was given.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "system" fn WdfVersionUnbind(
    _registry_path: *const UNICODE_STRING,
    _bind_info: *mut c_void,
    globals: *mut c_void,
) -> NTSTATUS {
    if globals.is_null() {
        return STATUS_INVALID_PARAMETER;
    }
    let globals: PWDF_DRIVER_GLOBALS = globals.cast();
    // SAFETY: the caller's promise.
    unsafe { driver::destroy(globals) };
    let binding: *mut Binding = globals.cast();
    // SAFETY: allocated by `bind`.
    unsafe { (*binding).jobs() }.wait();
    // SAFETY: allocated by `bind`, given back once; nobody is left who knows it.
    drop(unsafe { Box::from_raw(binding) });
    STATUS_SUCCESS
}
