//! `WdfDriver…`: the root of the tree.

use alloc::vec::Vec;
use core::ffi::c_void;
use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering};

use windows_sys::Wdk::Foundation::DRIVER_OBJECT;
use windows_sys::Win32::Foundation::{
    STATUS_INFO_LENGTH_MISMATCH, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_DEVICE_STATE,
    STATUS_NOT_SUPPORTED, STATUS_SUCCESS,
};

use crate::device::{Device, dispatch};
use crate::job::Jobs;
use crate::kmdf::*;
use crate::loader::Binding;
use crate::nt::{self, Error, SpinLock};
use crate::object::{self, Attributes, Body, Kind, List, Object, delete_root};

/// A driver that bound to the framework and called `WdfDriverCreate`.
pub(crate) struct Driver {
    wdm: *mut DRIVER_OBJECT,
    binding: *const Binding,
    /// Ends with NUL.
    registry_path: Vec<u16>,
    unload: PFN_WDF_DRIVER_UNLOAD,
    /// `EvtDriverUnload` was called, or never will be.
    unloaded: AtomicBool,
    /// The driver asked for PASSIVE_LEVEL callbacks.
    pub(crate) passive: bool,
    pub(crate) devices: SpinLock<List<Device>>,
}

// SAFETY: the driver object and the binding outlive the driver; neither is written through here.
unsafe impl Send for Driver {}
// SAFETY: as above.
unsafe impl Sync for Driver {}

impl Body for Driver {
    const KIND: Kind = Kind::Driver;
}

impl Driver {
    pub(crate) fn wdm(&self) -> *mut DRIVER_OBJECT {
        self.wdm
    }

    /// Without the NUL.
    pub(crate) fn registry_path(&self) -> &[u16] {
        let units = &self.registry_path;
        units.strip_suffix(&[0]).unwrap_or(units)
    }

    pub(crate) fn jobs(&self) -> &Jobs {
        // SAFETY: the binding is freed after its driver is gone.
        unsafe { (*self.binding).jobs() }
    }
}

/// The driver of this binding.
///
/// # Errors
/// It has not called `WdfDriverCreate`.
///
/// # Safety
/// The globals are those of a live binding.
pub(crate) unsafe fn of<'a>(globals: PWDF_DRIVER_GLOBALS) -> Result<&'a Object<Driver>, Error> {
    // SAFETY: the caller's promise.
    let handle = unsafe { (*globals).Driver };
    match handle.is_null() {
        true => Err(STATUS_INVALID_DEVICE_STATE),
        // SAFETY: the binding keeps the driver alive.
        false => Ok(unsafe { object::object(handle) }),
    }
}

pub(crate) unsafe extern "system" fn create(
    globals: PWDF_DRIVER_GLOBALS,
    driver_object: PDRIVER_OBJECT,
    registry_path: PCUNICODE_STRING,
    attributes: PWDF_OBJECT_ATTRIBUTES,
    config: PWDF_DRIVER_CONFIG,
    driver: *mut WDFDRIVER,
) -> NTSTATUS {
    // SAFETY: the driver passes what its DriverEntry was given, and its own structures.
    let created =
        unsafe { create_driver(globals, driver_object, registry_path, attributes, config) };
    match (created, driver.is_null()) {
        (Err(status), _) => status,
        (Ok(_), true) => STATUS_SUCCESS,
        (Ok(handle), false) => {
            // SAFETY: the driver's place for the handle.
            unsafe { driver.write(handle) };
            STATUS_SUCCESS
        }
    }
}

/// # Safety
/// As `WdfDriverCreate` has it.
unsafe fn create_driver(
    globals: PWDF_DRIVER_GLOBALS,
    driver_object: PDRIVER_OBJECT,
    registry_path: PCUNICODE_STRING,
    attributes: PWDF_OBJECT_ATTRIBUTES,
    config: PWDF_DRIVER_CONFIG,
) -> Result<WDFOBJECT, Error> {
    // SAFETY: the caller's promise.
    let config = unsafe { &*config };
    if config.Size as usize != size_of::<WDF_DRIVER_CONFIG>() {
        return Err(STATUS_INFO_LENGTH_MISMATCH);
    }
    if config.DriverInitFlags & WdfDriverInitNonPnpDriver == 0 {
        nt::debug_print(c"only drivers with WdfDriverInitNonPnpDriver are served");
        return Err(STATUS_NOT_SUPPORTED);
    }
    // SAFETY: the globals of this binding.
    if unsafe { of(globals) }.is_ok() {
        return Err(STATUS_INVALID_DEVICE_STATE);
    }
    // SAFETY: the driver's attributes.
    let attributes = unsafe { Attributes::read(attributes) }?;
    let body = Driver {
        wdm: driver_object,
        binding: globals.cast(),
        // SAFETY: the driver's registry path.
        registry_path: unsafe { copy_with_nul(registry_path) }?,
        unload: config.EvtDriverUnload,
        unloaded: AtomicBool::new(false),
        passive: attributes.passive,
        devices: SpinLock::new(List::default()),
    };
    let driver = Object::create(&attributes, None, body)?;
    // SAFETY: in DriverEntry the driver object is the driver's to fill, so ours.
    let wdm = unsafe { &mut *driver_object };
    wdm.MajorFunction = [Some(dispatch); 28];
    wdm.DriverUnload = Some(unload);
    let handle = driver.handle();
    // The first reference is the binding's, until `destroy`.
    let _ = driver.into_raw();
    // SAFETY: the globals of this binding, in its only thread.
    let globals = unsafe { &mut *globals };
    globals.Driver = handle;
    // The stub calls our unload routine from its own, then unbinds.
    globals.DisplaceDriverUnload = 1;
    Ok(handle)
}

/// # Safety
/// The string and its buffer are valid.
unsafe fn copy_with_nul(string: PCUNICODE_STRING) -> Result<Vec<u16>, Error> {
    // SAFETY: the caller's promise.
    let units = unsafe { units(string) };
    let mut copy = Vec::new();
    copy.try_reserve_exact(units.len() + 1)
        .map_err(|_| STATUS_INSUFFICIENT_RESOURCES)?;
    copy.extend_from_slice(units);
    copy.push(0);
    Ok(copy)
}

/// The UTF-16 units of a counted string.
///
/// # Safety
/// The string and its buffer are valid for `'a`.
pub(crate) unsafe fn units<'a>(string: PCUNICODE_STRING) -> &'a [u16] {
    // SAFETY: the caller's promise.
    let string = unsafe { &*string };
    match string.Buffer.is_null() {
        true => &[],
        // SAFETY: the caller's promise.
        false => unsafe { core::slice::from_raw_parts(string.Buffer, string.Length as usize / 2) },
    }
}

/// `DriverUnload`. PASSIVE_LEVEL.
unsafe extern "system" fn unload(driver_object: *const DRIVER_OBJECT) {
    // SAFETY: the I/O manager passes the driver object that the binding is stored with.
    let Some(binding) = (unsafe { Binding::of_driver_object(driver_object) }) else {
        return;
    };
    // SAFETY: the binding lives until the stub unbinds, after this routine.
    let Ok(driver) = (unsafe { of(binding) }) else {
        return;
    };
    // N.B. Windows unloads no driver with an open handle. Wine 8 does: end what is open first, so
    // that EvtDriverUnload finds what it may count on.
    close_devices(driver);
    if let Some(unload) = driver.unload
        && !driver.unloaded.swap(true, Ordering::SeqCst)
    {
        // SAFETY: the driver's callback with its handle.
        unsafe { unload(driver.handle()) };
    }
    // SAFETY: the stub unbinds next; nobody calls in between.
    unsafe { destroy(binding) };
}

fn close_devices(driver: &Object<Driver>) {
    for index in 0.. {
        let device = driver
            .devices
            .lock()
            .iter()
            .nth(index)
            .map(Object::reference);
        let Some(device) = device else { return };
        device.close_all();
    }
}

/// Deletes the driver and all its objects, if there is one: without EvtDriverUnload, which is not
/// called for a DriverEntry that failed. PASSIVE_LEVEL.
///
/// # Safety
/// The globals are those of a live binding, and nobody else uses it.
pub(crate) unsafe fn destroy(globals: PWDF_DRIVER_GLOBALS) {
    // SAFETY: the caller's promise.
    let Ok(driver) = (unsafe { of(globals) }) else {
        return;
    };
    close_devices(driver);
    // SAFETY: the binding's reference, given up once, since the handle is cleared.
    let first = unsafe { object::AnyRef::from_raw(driver.header().this()) };
    delete_root(first);
    // SAFETY: the caller's promise.
    unsafe { (*globals).Driver = ptr::null_mut() };
}

pub(crate) unsafe extern "system" fn get_registry_path(
    _: PWDF_DRIVER_GLOBALS,
    driver: WDFDRIVER,
) -> PWSTR {
    // SAFETY: the driver's handle.
    let driver = unsafe { object::object::<Driver>(driver) };
    driver.registry_path.as_ptr().cast_mut()
}

pub(crate) unsafe extern "system" fn wdm_get_driver_object(
    _: PWDF_DRIVER_GLOBALS,
    driver: WDFDRIVER,
) -> PDRIVER_OBJECT {
    // SAFETY: the driver's handle.
    unsafe { object::object::<Driver>(driver) }.wdm
}

/// The address that names our driver object extension.
pub(crate) fn extension_key() -> *const c_void {
    static KEY: u8 = 0;
    ptr::from_ref(&KEY).cast()
}
