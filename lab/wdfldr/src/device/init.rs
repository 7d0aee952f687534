//! `WDFDEVICE_INIT`: what a device is to be, before it is one.

use alloc::boxed::Box;

use windows_sys::Win32::Foundation::{
    STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER, STATUS_SUCCESS,
};

use super::Name;
use crate::driver::{Driver, units};
use crate::kmdf::*;
use crate::nt::{self, Error, try_box};
use crate::object::{self, Attributes, Ref};
use crate::security::SecurityDescriptor;

/// `FILE_DEVICE_UNKNOWN`.
const UNKNOWN: u32 = 0x22;

/// What the driver knows as an opaque `WDFDEVICE_INIT`.
pub(crate) struct DeviceInit {
    pub(super) driver: Ref<Driver>,
    pub(super) security: SecurityDescriptor,
    pub(super) name: Option<Name>,
    pub(super) device_type: u32,
    pub(super) characteristics: u32,
    pub(super) exclusive: bool,
    pub(super) io_type: WDF_DEVICE_IO_TYPE,
    pub(super) file: Option<WDF_FILEOBJECT_CONFIG>,
    pub(super) file_attributes: Attributes,
    pub(super) request_attributes: Attributes,
    pub(super) in_caller_context: PFN_WDF_IO_IN_CALLER_CONTEXT,
}

impl DeviceInit {
    /// # Safety
    /// The driver passes what it was given, and does so from one thread.
    unsafe fn of<'a>(init: PWDFDEVICE_INIT) -> &'a mut Self {
        match init.is_null() {
            true => nt::bug_check(WDF_REQUIRED_PARAMETER_IS_NULL as usize, 0, 0, 0),
            // SAFETY: the caller's promise.
            false => unsafe { &mut *init.cast::<Self>() },
        }
    }
}

pub(crate) unsafe extern "system" fn control_device_init_allocate(
    _: PWDF_DRIVER_GLOBALS,
    driver: WDFDRIVER,
    sddl: *const UNICODE_STRING,
) -> PWDFDEVICE_INIT {
    // SAFETY: the driver's handle.
    let driver = unsafe { object::object::<Driver>(driver) };
    // SAFETY: the driver's string.
    let sddl = unsafe { units(sddl) };
    let Ok(security) = SecurityDescriptor::from_sddl(sddl) else {
        nt::debug_print(c"WdfControlDeviceInitAllocate: the SDDL string cannot be read");
        return core::ptr::null_mut();
    };
    let init = DeviceInit {
        driver: driver.reference(),
        security,
        name: None,
        device_type: UNKNOWN,
        characteristics: 0,
        exclusive: false,
        io_type: WdfDeviceIoBuffered,
        file: None,
        file_attributes: Attributes::NONE,
        request_attributes: Attributes::NONE,
        in_caller_context: None,
    };
    try_box(init).map_or(core::ptr::null_mut(), |init| Box::into_raw(init).cast())
}

pub(crate) unsafe extern "system" fn init_free(_: PWDF_DRIVER_GLOBALS, init: PWDFDEVICE_INIT) {
    // SAFETY: the driver gives back what it was given, once.
    drop(unsafe { Box::from_raw(init.cast::<DeviceInit>()) });
}

pub(crate) unsafe extern "system" fn init_assign_name(
    _: PWDF_DRIVER_GLOBALS,
    init: PWDFDEVICE_INIT,
    name: PCUNICODE_STRING,
) -> NTSTATUS {
    // SAFETY: the driver's init structure.
    let init = unsafe { DeviceInit::of(init) };
    if name.is_null() {
        init.name = None;
        return STATUS_SUCCESS;
    }
    // SAFETY: the driver's string.
    match Name::copy(unsafe { units(name) }) {
        Some(name) => init.name = Some(name),
        None => return STATUS_INSUFFICIENT_RESOURCES,
    }
    STATUS_SUCCESS
}

pub(crate) unsafe extern "system" fn init_assign_sddl(
    _: PWDF_DRIVER_GLOBALS,
    init: PWDFDEVICE_INIT,
    sddl: PCUNICODE_STRING,
) -> NTSTATUS {
    // SAFETY: the driver's string.
    let sddl = unsafe { units(sddl) };
    match SecurityDescriptor::from_sddl(sddl) {
        Ok(security) => {
            // SAFETY: the driver's init structure.
            unsafe { DeviceInit::of(init) }.security = security;
            STATUS_SUCCESS
        }
        Err(_) => STATUS_INVALID_PARAMETER,
    }
}

pub(crate) unsafe extern "system" fn init_set_file_object_config(
    _: PWDF_DRIVER_GLOBALS,
    init: PWDFDEVICE_INIT,
    config: PWDF_FILEOBJECT_CONFIG,
    attributes: PWDF_OBJECT_ATTRIBUTES,
) {
    // SAFETY: the driver's init structure.
    let init = unsafe { DeviceInit::of(init) };
    // SAFETY: the driver's structure.
    init.file = Some(unsafe { config.read() });
    // SAFETY: the driver's structure.
    init.file_attributes = required(unsafe { Attributes::read(attributes) });
}

pub(crate) unsafe extern "system" fn init_set_request_attributes(
    _: PWDF_DRIVER_GLOBALS,
    init: PWDFDEVICE_INIT,
    attributes: PWDF_OBJECT_ATTRIBUTES,
) {
    // SAFETY: the driver's init structure.
    let init = unsafe { DeviceInit::of(init) };
    // SAFETY: the driver's structure.
    init.request_attributes = required(unsafe { Attributes::read(attributes) });
}

/// Attributes of a function that has no way to refuse them.
fn required(attributes: Result<Attributes, Error>) -> Attributes {
    attributes
        .unwrap_or_else(|status| nt::bug_check(WDF_OBJECT_ERROR as usize, 0, status as usize, 0))
}

pub(crate) unsafe extern "system" fn init_set_io_in_caller_context_callback(
    _: PWDF_DRIVER_GLOBALS,
    init: PWDFDEVICE_INIT,
    callback: PFN_WDF_IO_IN_CALLER_CONTEXT,
) {
    // SAFETY: the driver's init structure.
    unsafe { DeviceInit::of(init) }.in_caller_context = callback;
}

pub(crate) unsafe extern "system" fn init_set_io_type(
    _: PWDF_DRIVER_GLOBALS,
    init: PWDFDEVICE_INIT,
    io_type: WDF_DEVICE_IO_TYPE,
) {
    // SAFETY: the driver's init structure.
    unsafe { DeviceInit::of(init) }.io_type = io_type;
}

pub(crate) unsafe extern "system" fn init_set_exclusive(
    _: PWDF_DRIVER_GLOBALS,
    init: PWDFDEVICE_INIT,
    exclusive: BOOLEAN,
) {
    // SAFETY: the driver's init structure.
    unsafe { DeviceInit::of(init) }.exclusive = exclusive != 0;
}

pub(crate) unsafe extern "system" fn init_set_device_type(
    _: PWDF_DRIVER_GLOBALS,
    init: PWDFDEVICE_INIT,
    device_type: ULONG,
) {
    // SAFETY: the driver's init structure.
    unsafe { DeviceInit::of(init) }.device_type = device_type;
}

pub(crate) unsafe extern "system" fn init_set_characteristics(
    _: PWDF_DRIVER_GLOBALS,
    init: PWDFDEVICE_INIT,
    characteristics: ULONG,
    or_in_values: BOOLEAN,
) {
    // SAFETY: the driver's init structure.
    let init = unsafe { DeviceInit::of(init) };
    match or_in_values {
        0 => init.characteristics = characteristics,
        _ => init.characteristics |= characteristics,
    }
}
