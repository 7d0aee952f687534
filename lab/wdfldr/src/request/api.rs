//! Completing, forwarding and asking a request.

use windows_sys::Win32::Foundation::{STATUS_INVALID_DEVICE_REQUEST, STATUS_SUCCESS};

use super::{Request, complete};
use crate::kmdf::*;
use crate::nt;
use crate::object::{self, handle_or_null};
use crate::queue::{End, Queue};

pub(crate) unsafe extern "system" fn request_complete(
    _: PWDF_DRIVER_GLOBALS,
    request: WDFREQUEST,
    status: NTSTATUS,
) {
    // SAFETY: the driver's handle.
    complete(unsafe { object::object::<Request>(request) }, status, 0);
}

pub(crate) unsafe extern "system" fn complete_with_priority_boost(
    _: PWDF_DRIVER_GLOBALS,
    request: WDFREQUEST,
    status: NTSTATUS,
    boost: CCHAR,
) {
    // SAFETY: the driver's handle.
    complete(unsafe { object::object::<Request>(request) }, status, boost);
}

pub(crate) unsafe extern "system" fn complete_with_information(
    _: PWDF_DRIVER_GLOBALS,
    request: WDFREQUEST,
    status: NTSTATUS,
    information: ULONG_PTR,
) {
    // SAFETY: the driver's handle.
    let request = unsafe { object::object::<Request>(request) };
    request.irp().set_information(information);
    complete(request, status, 0);
}

pub(crate) unsafe extern "system" fn set_information(
    _: PWDF_DRIVER_GLOBALS,
    request: WDFREQUEST,
    information: ULONG_PTR,
) {
    // SAFETY: the driver's handle.
    unsafe { object::object::<Request>(request) }
        .irp()
        .set_information(information);
}

pub(crate) unsafe extern "system" fn get_information(
    _: PWDF_DRIVER_GLOBALS,
    request: WDFREQUEST,
) -> ULONG_PTR {
    // SAFETY: the driver's handle.
    unsafe { object::object::<Request>(request) }
        .irp()
        .information()
}

pub(crate) unsafe extern "system" fn get_status(
    _: PWDF_DRIVER_GLOBALS,
    request: WDFREQUEST,
) -> NTSTATUS {
    // SAFETY: the driver's handle.
    unsafe { object::object::<Request>(request) }.irp().status()
}

pub(crate) unsafe extern "system" fn is_canceled(
    _: PWDF_DRIVER_GLOBALS,
    request: WDFREQUEST,
) -> BOOLEAN {
    // SAFETY: the driver's handle.
    unsafe { object::object::<Request>(request) }
        .irp()
        .is_cancelled()
        .into()
}

pub(crate) unsafe extern "system" fn wdm_get_irp(
    _: PWDF_DRIVER_GLOBALS,
    request: WDFREQUEST,
) -> PIRP {
    // SAFETY: the driver's handle.
    unsafe { object::object::<Request>(request) }.irp().as_ptr()
}

pub(crate) unsafe extern "system" fn get_requestor_mode(
    _: PWDF_DRIVER_GLOBALS,
    request: WDFREQUEST,
) -> KPROCESSOR_MODE {
    // SAFETY: the driver's handle.
    unsafe { object::object::<Request>(request) }
        .irp()
        .requestor_mode()
}

pub(crate) unsafe extern "system" fn is_from_32_bit_process(
    _: PWDF_DRIVER_GLOBALS,
    request: WDFREQUEST,
) -> BOOLEAN {
    // SAFETY: the driver's handle.
    unsafe { object::object::<Request>(request) }
        .irp()
        .is_from_32_bit_process()
        .into()
}

pub(crate) unsafe extern "system" fn get_requestor_process_id(
    _: PWDF_DRIVER_GLOBALS,
    request: WDFREQUEST,
) -> ULONG {
    // SAFETY: the driver's handle.
    unsafe { object::object::<Request>(request) }.process_id
}

pub(crate) unsafe extern "system" fn get_file_object(
    _: PWDF_DRIVER_GLOBALS,
    request: WDFREQUEST,
) -> WDFFILEOBJECT {
    // SAFETY: the driver's handle.
    handle_or_null(
        unsafe { object::object::<Request>(request) }
            .file
            .as_deref(),
    )
}

pub(crate) unsafe extern "system" fn get_io_queue(
    _: PWDF_DRIVER_GLOBALS,
    request: WDFREQUEST,
) -> WDFQUEUE {
    // SAFETY: the driver's handle.
    handle_or_null(
        unsafe { object::object::<Request>(request) }
            .queue()
            .as_deref(),
    )
}

pub(crate) unsafe extern "system" fn get_parameters(
    _: PWDF_DRIVER_GLOBALS,
    request: WDFREQUEST,
    parameters: PWDF_REQUEST_PARAMETERS,
) {
    // SAFETY: the driver's handle.
    let request = unsafe { object::object::<Request>(request) };
    let irp = request.irp();
    let words = match request.kind() {
        WdfRequestTypeDeviceControl | WdfRequestTypeDeviceControlInternal => {
            let control = irp.device_control();
            [
                control.output_length as usize,
                control.input_length as usize,
                control.code as usize,
                control.type3_input as usize,
            ]
        }
        WdfRequestTypeRead | WdfRequestTypeWrite => {
            let (length, key, offset) = irp.read_write();
            [length as usize, key as usize, offset as usize, 0]
        }
        _ => irp.raw_parameters(),
    };
    // SAFETY: the driver's structure.
    let parameters = unsafe { &mut *parameters };
    parameters.MinorFunction = irp.function().1;
    parameters.Type = request.kind();
    parameters.Parameters = words;
}

pub(crate) unsafe extern "system" fn forward_to_io_queue(
    _: PWDF_DRIVER_GLOBALS,
    request: WDFREQUEST,
    queue: WDFQUEUE,
) -> NTSTATUS {
    // SAFETY: the driver's handle.
    let request = unsafe { object::object::<Request>(request) };
    // SAFETY: the driver's handle.
    let to = unsafe { object::object::<Queue>(queue) };
    let Some(from) = request.queue() else {
        return STATUS_INVALID_DEVICE_REQUEST;
    };
    if core::ptr::eq::<object::Object<Queue>>(&*from, to) {
        return STATUS_INVALID_DEVICE_REQUEST;
    }
    let result = from.hand_over(request, to, End::Back);
    if result.is_ok() {
        from.request_left();
        to.dispatch();
    }
    nt::status(result)
}

pub(crate) unsafe extern "system" fn requeue(
    _: PWDF_DRIVER_GLOBALS,
    request: WDFREQUEST,
) -> NTSTATUS {
    // SAFETY: the driver's handle.
    let request = unsafe { object::object::<Request>(request) };
    let Some(queue) = request.queue() else {
        return STATUS_INVALID_DEVICE_REQUEST;
    };
    // Only a driver that retrieves requests itself may put one back.
    if !queue.is_manual() {
        return STATUS_INVALID_DEVICE_REQUEST;
    }
    match queue.hand_over(request, &queue, End::Front) {
        Ok(()) => STATUS_SUCCESS,
        Err(status) => status,
    }
}
