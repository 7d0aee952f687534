//! Where a request's data is, by its type and transfer method.

use core::ffi::c_void;
use core::ptr;

use windows_sys::Wdk::Foundation::MDL;
use windows_sys::Win32::Foundation::{
    STATUS_BUFFER_TOO_SMALL, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_DEVICE_REQUEST,
    STATUS_SUCCESS,
};

use super::Request;
use crate::kmdf::*;
use crate::memory::Memory;
use crate::nt::{self, Error, Method};
use crate::object::{self, Attributes, Object, create_child, hand_out};

/// How read and write requests of a device pass their buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BufferMethod {
    Buffered,
    Direct,
    Neither,
}

/// The two directions, as the driver sees them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Input,
    Output,
}

/// A buffer, not mapped yet.
enum Place {
    System(*mut c_void),
    Mdl(*mut MDL),
}

impl Object<Request> {
    /// Place and length.
    fn buffer(&self, side: Side) -> Result<(Place, usize), Error> {
        let irp = self.irp();
        let system = Place::System(irp.system_buffer());
        match (self.kind(), side) {
            (WdfRequestTypeDeviceControl | WdfRequestTypeDeviceControlInternal, _) => {
                let control = irp.device_control();
                match (control.method(), side) {
                    (Method::Neither, _) => Err(STATUS_INVALID_DEVICE_REQUEST),
                    // The system buffer is the input of direct methods as well.
                    (_, Side::Input) => Ok((system, control.input_length as usize)),
                    (Method::Buffered, Side::Output) => {
                        Ok((system, control.output_length as usize))
                    }
                    (_, Side::Output) => {
                        Ok((Place::Mdl(irp.mdl()), control.output_length as usize))
                    }
                }
            }
            (WdfRequestTypeRead, Side::Output) | (WdfRequestTypeWrite, Side::Input) => {
                let length = irp.read_write().0 as usize;
                match self.device.config().read_write {
                    BufferMethod::Buffered => Ok((system, length)),
                    BufferMethod::Direct => Ok((Place::Mdl(irp.mdl()), length)),
                    BufferMethod::Neither => Err(STATUS_INVALID_DEVICE_REQUEST),
                }
            }
            _ => Err(STATUS_INVALID_DEVICE_REQUEST),
        }
    }

    /// Address and length of a buffer of at least `minimum` bytes. An empty one is too small.
    fn mapped(&self, side: Side, minimum: usize) -> Result<(*mut c_void, usize), Error> {
        let (place, length) = self.buffer(side)?;
        if length == 0 || length < minimum {
            return Err(STATUS_BUFFER_TOO_SMALL);
        }
        let address = match place {
            Place::System(address) => address,
            Place::Mdl(mdl) if mdl.is_null() => return Err(STATUS_INVALID_DEVICE_REQUEST),
            // SAFETY: the I/O manager locked the pages for the IRP, which is not completed.
            Place::Mdl(mdl) => unsafe { nt::system_address(mdl) },
        };
        match address.is_null() {
            true => Err(STATUS_INSUFFICIENT_RESOURCES),
            false => Ok((address, length)),
        }
    }

    /// The MDL of a buffer of a direct method.
    ///
    /// N.B. KMDF also builds one for a buffered request; nothing here asks for that.
    fn wdm_mdl(&self, side: Side) -> Result<*mut MDL, Error> {
        match self.buffer(side)? {
            (_, 0) => Err(STATUS_BUFFER_TOO_SMALL),
            (Place::Mdl(mdl), _) if !mdl.is_null() => Ok(mdl),
            _ => Err(STATUS_INVALID_DEVICE_REQUEST),
        }
    }

    /// A memory object below the request, over its buffer.
    fn memory(&self, side: Side) -> Result<WDFMEMORY, Error> {
        let (buffer, length) = self.mapped(side, 0)?;
        create_child(&Attributes::NONE, self.any(), Memory::over(buffer, length))
    }
}

/// # Safety
/// A driver's `WdfRequestRetrieve…Buffer` call.
unsafe fn retrieve(
    request: WDFREQUEST,
    side: Side,
    minimum: usize,
    buffer: *mut PVOID,
    length: *mut usize,
) -> NTSTATUS {
    // SAFETY: the driver's handle.
    let found = unsafe { object::object::<Request>(request) }.mapped(side, minimum);
    let (address, size) = match found {
        Ok(found) => found,
        Err(status) => return status,
    };
    // SAFETY: the driver's place for the address.
    unsafe { buffer.write(address) };
    if !length.is_null() {
        // SAFETY: the driver's place for the length.
        unsafe { length.write(size) };
    }
    STATUS_SUCCESS
}

pub(crate) unsafe extern "system" fn retrieve_input_buffer(
    _: PWDF_DRIVER_GLOBALS,
    request: WDFREQUEST,
    minimum: usize,
    buffer: *mut PVOID,
    length: *mut usize,
) -> NTSTATUS {
    // SAFETY: the driver's call.
    unsafe { retrieve(request, Side::Input, minimum, buffer, length) }
}

pub(crate) unsafe extern "system" fn retrieve_output_buffer(
    _: PWDF_DRIVER_GLOBALS,
    request: WDFREQUEST,
    minimum: usize,
    buffer: *mut PVOID,
    length: *mut usize,
) -> NTSTATUS {
    // SAFETY: the driver's call.
    unsafe { retrieve(request, Side::Output, minimum, buffer, length) }
}

/// # Safety
/// A driver's `WdfRequestRetrieve…WdmMdl` call.
unsafe fn retrieve_mdl(request: WDFREQUEST, side: Side, place: *mut PMDL) -> NTSTATUS {
    // SAFETY: the driver's handle.
    let found = unsafe { object::object::<Request>(request) }.wdm_mdl(side);
    // SAFETY: the driver's place for the MDL.
    unsafe { place.write(found.unwrap_or(ptr::null_mut())) };
    nt::status(found.map(|_| ()))
}

pub(crate) unsafe extern "system" fn retrieve_input_wdm_mdl(
    _: PWDF_DRIVER_GLOBALS,
    request: WDFREQUEST,
    mdl: *mut PMDL,
) -> NTSTATUS {
    // SAFETY: the driver's call.
    unsafe { retrieve_mdl(request, Side::Input, mdl) }
}

pub(crate) unsafe extern "system" fn retrieve_output_wdm_mdl(
    _: PWDF_DRIVER_GLOBALS,
    request: WDFREQUEST,
    mdl: *mut PMDL,
) -> NTSTATUS {
    // SAFETY: the driver's call.
    unsafe { retrieve_mdl(request, Side::Output, mdl) }
}

pub(crate) unsafe extern "system" fn retrieve_input_memory(
    _: PWDF_DRIVER_GLOBALS,
    request: WDFREQUEST,
    memory: *mut WDFMEMORY,
) -> NTSTATUS {
    // SAFETY: the driver's handle.
    let created = unsafe { object::object::<Request>(request) }.memory(Side::Input);
    // SAFETY: the driver's place for the result.
    unsafe { hand_out(created, memory) }
}

pub(crate) unsafe extern "system" fn retrieve_output_memory(
    _: PWDF_DRIVER_GLOBALS,
    request: WDFREQUEST,
    memory: *mut WDFMEMORY,
) -> NTSTATUS {
    // SAFETY: the driver's handle.
    let created = unsafe { object::object::<Request>(request) }.memory(Side::Output);
    // SAFETY: the driver's place for the result.
    unsafe { hand_out(created, memory) }
}
