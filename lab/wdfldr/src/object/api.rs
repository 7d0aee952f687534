//! `WdfObject…`.

use core::ffi::c_void;
use core::ptr;

use windows_sys::Win32::Foundation::{STATUS_INVALID_DEVICE_REQUEST, STATUS_SUCCESS};

use super::context::object_of;
use super::tree::{adopt, delete};
use super::{AnyRef, Attributes, Body, Kind, Object, Ref, header};
use crate::device::Device;
use crate::driver;
use crate::kmdf::*;
use crate::nt::Error;

/// An object of the driver's own: contexts, a parent, and nothing else.
struct General;

impl Body for General {
    const KIND: Kind = Kind::General;
}

/// Makes an object below the parent its attributes name, or below `default`, and returns its
/// handle.
pub(crate) fn create_child<T: Body>(
    attributes: &Attributes,
    default: AnyRef,
    body: T,
) -> Result<WDFOBJECT, Error> {
    create_child_with(attributes, default, body, |_| Ok(()))
}

/// As [`create_child`]; `initialize` runs where the object stays, before others can see it.
pub(crate) fn create_child_with<T: Body>(
    attributes: &Attributes,
    default: AnyRef,
    body: T,
    initialize: impl FnOnce(&Ref<T>) -> Result<(), Error>,
) -> Result<WDFOBJECT, Error> {
    let parent = match attributes.parent {
        handle if handle.is_null() => default,
        // SAFETY: the driver's handle.
        handle => unsafe { header(handle) }.reference(),
    };
    let object = Object::create(attributes, Some(parent), body)?;
    initialize(&object)?;
    let handle = object.handle();
    adopt(object)?;
    Ok(handle)
}

/// Writes the handle where the driver wants it, and says how it went.
///
/// # Safety
/// `place` is where the driver wants it.
pub(crate) unsafe fn hand_out(result: Result<WDFOBJECT, Error>, place: *mut WDFOBJECT) -> NTSTATUS {
    match result {
        Ok(handle) => {
            // SAFETY: the caller's promise.
            unsafe { place.write(handle) };
            STATUS_SUCCESS
        }
        Err(status) => status,
    }
}

pub(crate) unsafe extern "system" fn get_typed_context_worker(
    _: PWDF_DRIVER_GLOBALS,
    handle: WDFOBJECT,
    type_info: PCWDF_OBJECT_CONTEXT_TYPE_INFO,
) -> PVOID {
    // SAFETY: the driver's handle.
    let object = unsafe { header(handle) };
    // SAFETY: the driver's type info.
    unsafe { object.contexts.get(type_info) }
}

pub(crate) unsafe extern "system" fn allocate_context(
    _: PWDF_DRIVER_GLOBALS,
    handle: WDFOBJECT,
    attributes: PWDF_OBJECT_ATTRIBUTES,
    context: *mut PVOID,
) -> NTSTATUS {
    // SAFETY: the driver's attributes.
    let attributes = match unsafe { Attributes::read(attributes) } {
        Ok(attributes) => attributes,
        Err(status) => return status,
    };
    // SAFETY: the driver's handle.
    let (status, memory) = match unsafe { header(handle) }.contexts.add(&attributes, handle) {
        Ok(memory) => (STATUS_SUCCESS, memory),
        Err(existing) => existing,
    };
    if !context.is_null() && !memory.is_null() {
        // SAFETY: the driver's place for the result.
        unsafe { context.write(memory) };
    }
    status
}

pub(crate) unsafe extern "system" fn context_get_object(
    _: PWDF_DRIVER_GLOBALS,
    context: PVOID,
) -> WDFOBJECT {
    match context.is_null() {
        true => ptr::null_mut(),
        // SAFETY: the driver passes a context.
        false => unsafe { object_of(context) },
    }
}

pub(crate) unsafe extern "system" fn reference_actual(
    _: PWDF_DRIVER_GLOBALS,
    handle: WDFOBJECT,
    _tag: PVOID,
    _line: LONG,
    _file: PCCH,
) {
    // SAFETY: the driver's handle.
    let reference = unsafe { header(handle) }.reference();
    // Taken back by `dereference_actual`.
    let _ = reference.into_raw();
}

pub(crate) unsafe extern "system" fn dereference_actual(
    _: PWDF_DRIVER_GLOBALS,
    handle: WDFOBJECT,
    _tag: PVOID,
    _line: LONG,
    _file: PCCH,
) {
    // SAFETY: the driver's handle.
    let this = unsafe { header(handle) }.this;
    // SAFETY: the driver gives back a reference it took.
    drop(unsafe { AnyRef::from_raw(this) });
}

pub(crate) unsafe extern "system" fn create(
    globals: PWDF_DRIVER_GLOBALS,
    attributes: PWDF_OBJECT_ATTRIBUTES,
    object: *mut WDFOBJECT,
) -> NTSTATUS {
    // SAFETY: the driver's globals and attributes.
    let result = unsafe { driver::of(globals) }.and_then(|driver| {
        // SAFETY: likewise.
        let attributes = unsafe { Attributes::read(attributes) }?;
        create_child(&attributes, driver.any(), General)
    });
    // SAFETY: the driver's place for the result.
    unsafe { hand_out(result, object) }
}

pub(crate) unsafe extern "system" fn delete_object(_: PWDF_DRIVER_GLOBALS, handle: WDFOBJECT) {
    // SAFETY: the driver's handle.
    let object = unsafe { header(handle) };
    if let Some(device) = object.downcast::<Device>() {
        device.close_all();
    }
    match object.kind() {
        // The framework's own to delete: KMDF ends here too.
        Kind::Driver | Kind::File | Kind::Request => crate::nt::bug_check(
            WDF_OBJECT_ERROR as usize,
            handle as usize,
            STATUS_INVALID_DEVICE_REQUEST as usize,
            0,
        ),
        _ => delete(object),
    }
}

/// The handle for the driver, where null means none.
pub(crate) fn handle_or_null<T: Body>(object: Option<&Object<T>>) -> *mut c_void {
    object.map_or(ptr::null_mut(), Object::handle)
}
