//! Making a device, and asking it.

use alloc::boxed::Box;
use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering};

use windows_sys::Wdk::Storage::FileSystem::{DO_BUFFERED_IO, DO_DIRECT_IO};
use windows_sys::Win32::Foundation::{
    STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER, STATUS_SUCCESS,
};

use super::init::DeviceInit;
use super::{Config, Device, Name};
use crate::driver::{Driver, units};
use crate::kmdf::*;
use crate::nt::{self, Error, SpinLock};
use crate::object::{self, Attributes, List, Object, adopt, hand_out, handle_or_null};
use crate::request::{self, BufferMethod, Request};

pub(crate) unsafe extern "system" fn device_create(
    _: PWDF_DRIVER_GLOBALS,
    init: *mut PWDFDEVICE_INIT,
    attributes: PWDF_OBJECT_ATTRIBUTES,
    device: *mut WDFDEVICE,
) -> NTSTATUS {
    // SAFETY: the driver's attributes.
    let result = unsafe { Attributes::read(attributes) }.and_then(|attributes| {
        // SAFETY: the driver's variable.
        let this: *mut DeviceInit = unsafe { init.read() }.cast();
        // SAFETY: the driver's init structure.
        let handle = create(unsafe { &*this }, &attributes)?;
        // On success the framework takes the init structure and clears the driver's pointer; on
        // failure the driver frees it.
        // SAFETY: the driver's variable.
        unsafe { init.write(ptr::null_mut()) };
        // SAFETY: the driver's init structure, taken once.
        drop(unsafe { Box::from_raw(this) });
        Ok(handle)
    });
    // SAFETY: the driver's place for the result.
    unsafe { hand_out(result, device) }
}

fn create(init: &DeviceInit, attributes: &Attributes) -> Result<WDFDEVICE, Error> {
    if !attributes.parent.is_null() {
        return Err(STATUS_WDF_PARENT_ASSIGNMENT_NOT_ALLOWED);
    }
    // An SDDL string protects a name; without one nobody could open the device.
    let name = init.name.as_ref().ok_or(STATUS_INVALID_PARAMETER)?;
    let name = Name::copy(name.units()).ok_or(STATUS_INSUFFICIENT_RESOURCES)?;
    let (read_write, flags) = match init.io_type {
        WdfDeviceIoBuffered => (BufferMethod::Buffered, DO_BUFFERED_IO),
        WdfDeviceIoDirect | WdfDeviceIoBufferedOrDirect => (BufferMethod::Direct, DO_DIRECT_IO),
        _ => (BufferMethod::Neither, 0),
    };
    // SAFETY: the driver object is that of the binding, the name ours.
    let wdm = unsafe {
        nt::Device::create(
            init.driver.wdm(),
            &name.as_unicode(),
            init.device_type,
            init.characteristics,
            init.exclusive,
        )
    }?;
    wdm.set_security(init.security.as_bytes())?;
    let body = Device {
        wdm,
        name,
        config: Config {
            passive: attributes.passive || init.driver.passive,
            file: init.file,
            file_attributes: init.file_attributes,
            request_attributes: init.request_attributes,
            in_caller_context: init.in_caller_context,
            read_write,
            characteristics: init.characteristics,
        },
        open: AtomicBool::new(false),
        links: SpinLock::new(alloc::vec::Vec::new()),
        files: SpinLock::new(List::default()),
        queues: SpinLock::new(List::default()),
        default_queue: SpinLock::new(None),
    };
    let device = Object::create(attributes, Some(init.driver.any()), body)?;
    device.wdm().set_up(flags, device.handle());
    let handle = device.handle();
    let member = device.reference();
    adopt(device)?;
    init.driver.devices.lock().push_back(member);
    Ok(handle)
}

pub(crate) unsafe extern "system" fn control_finish_initializing(
    _: PWDF_DRIVER_GLOBALS,
    device: WDFDEVICE,
) {
    // SAFETY: the driver's handle.
    let device = unsafe { object::object::<Device>(device) };
    device.open.store(true, Ordering::SeqCst);
    device.wdm().ready();
}

pub(crate) unsafe extern "system" fn create_symbolic_link(
    _: PWDF_DRIVER_GLOBALS,
    device: WDFDEVICE,
    link: PCUNICODE_STRING,
) -> NTSTATUS {
    // SAFETY: the driver's handle.
    let device = unsafe { object::object::<Device>(device) };
    // SAFETY: the driver's string.
    let link = Name::copy(unsafe { units(link) });
    nt::status(
        link.ok_or(STATUS_INSUFFICIENT_RESOURCES)
            .and_then(|link| device.link(link)),
    )
}

impl Object<Device> {
    fn link(&self, link: Name) -> Result<(), Error> {
        // Room first: what exists must be remembered, to be deleted with the device.
        let room = self.links.lock().try_reserve(1);
        room.map_err(|_| STATUS_INSUFFICIENT_RESOURCES)?;
        nt::create_symbolic_link(&link.as_unicode(), &self.name.as_unicode())?;
        self.links.lock().push(link);
        Ok(())
    }
}

pub(crate) unsafe extern "system" fn wdm_get_device_object(
    _: PWDF_DRIVER_GLOBALS,
    device: WDFDEVICE,
) -> PDEVICE_OBJECT {
    // SAFETY: the driver's handle.
    unsafe { object::object::<Device>(device) }.wdm().as_ptr()
}

pub(crate) unsafe extern "system" fn get_driver(
    _: PWDF_DRIVER_GLOBALS,
    device: WDFDEVICE,
) -> WDFDRIVER {
    // SAFETY: the driver's handle.
    let device = unsafe { object::object::<Device>(device) };
    handle_or_null(device.header().ancestor::<Driver>())
}

pub(crate) unsafe extern "system" fn get_default_queue(
    _: PWDF_DRIVER_GLOBALS,
    device: WDFDEVICE,
) -> WDFQUEUE {
    // SAFETY: the driver's handle.
    let device = unsafe { object::object::<Device>(device) };
    handle_or_null(device.default_queue().as_deref())
}

pub(crate) unsafe extern "system" fn get_file_object(
    _: PWDF_DRIVER_GLOBALS,
    device: WDFDEVICE,
    file_object: PFILE_OBJECT,
) -> WDFFILEOBJECT {
    // SAFETY: the driver's handle.
    let device = unsafe { object::object::<Device>(device) };
    handle_or_null(device.file(file_object).as_deref())
}

pub(crate) unsafe extern "system" fn get_characteristics(
    _: PWDF_DRIVER_GLOBALS,
    device: WDFDEVICE,
) -> ULONG {
    // SAFETY: the driver's handle.
    unsafe { object::object::<Device>(device) }
        .config()
        .characteristics
}

pub(crate) unsafe extern "system" fn enqueue_request(
    _: PWDF_DRIVER_GLOBALS,
    device: WDFDEVICE,
    request: WDFREQUEST,
) -> NTSTATUS {
    // SAFETY: the driver's handle.
    let device = unsafe { object::object::<Device>(device) };
    // SAFETY: the driver's handle.
    let request = unsafe { object::object::<Request>(request) };
    match device.enqueue(request::take_from_driver(request)) {
        Ok(()) => STATUS_SUCCESS,
        Err((request, status)) => {
            request::give_to_driver(request);
            status
        }
    }
}
