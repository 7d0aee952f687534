//! `WdfIoQueue…`.

use windows_sys::Win32::Foundation::{
    STATUS_INFO_LENGTH_MISMATCH, STATUS_INVALID_PARAMETER, STATUS_NO_MORE_ENTRIES,
    STATUS_NOT_FOUND, STATUS_UNSUCCESSFUL,
};

use super::{Queue, State};
use crate::device::Device;
use crate::file::File;
use crate::kmdf::*;
use crate::nt::{self, Error, Event, SpinLock};
use crate::object::{
    self, Attributes, List, Object, Ref, create_child_with, hand_out, handle_or_null,
};
use crate::request::Request;

pub(crate) unsafe extern "system" fn queue_create(
    _: PWDF_DRIVER_GLOBALS,
    device: WDFDEVICE,
    config: PWDF_IO_QUEUE_CONFIG,
    attributes: PWDF_OBJECT_ATTRIBUTES,
    queue: *mut WDFQUEUE,
) -> NTSTATUS {
    // SAFETY: the driver's handle.
    let device = unsafe { object::object::<Device>(device) };
    // SAFETY: the driver's structure.
    let config = unsafe { config.read() };
    // SAFETY: the driver's attributes.
    let result = unsafe { Attributes::read(attributes) }
        .and_then(|attributes| create(device, config, &attributes));
    match queue.is_null() {
        true => nt::status(result.map(|_| ())),
        // SAFETY: the driver's place for the result.
        false => unsafe { hand_out(result, queue) },
    }
}

fn create(
    device: &Object<Device>,
    config: WDF_IO_QUEUE_CONFIG,
    attributes: &Attributes,
) -> Result<WDFQUEUE, Error> {
    if config.Size as usize != size_of::<WDF_IO_QUEUE_CONFIG>() {
        return Err(STATUS_INFO_LENGTH_MISMATCH);
    }
    if config.DispatchType == WdfIoQueueDispatchInvalid
        || config.DispatchType >= WdfIoQueueDispatchMax
        || (config.DispatchType == WdfIoQueueDispatchParallel && config.Settings == 0)
    {
        return Err(STATUS_INVALID_PARAMETER);
    }
    let passive = attributes.passive || device.config().passive;
    let work_item = passive
        .then(|| nt::WorkItem::allocate(device.wdm()))
        .transpose()?;
    let body = Queue {
        config,
        work_item,
        state: SpinLock::new(State {
            waiting: List::default(),
            owned: List::default(),
            cancelled: List::default(),
            accepting: true,
            dispatching: true,
            presenting: false,
            work_queued: false,
            quiet: None,
        }),
        left: Event::uninitialized(),
    };
    create_child_with(attributes, device.any(), body, |queue| {
        queue.left.initialize_notification(false);
        if config.DefaultQueue != 0 && !device.set_default_queue(queue) {
            return Err(STATUS_UNSUCCESSFUL);
        }
        device.queues().lock().push_back(queue.reference());
        Ok(())
    })
}

/// # Safety
/// The driver's handle.
unsafe fn queue<'a>(handle: WDFQUEUE) -> &'a Object<Queue> {
    // SAFETY: the caller's promise.
    unsafe { object::object(handle) }
}

/// Takes a request for the driver.
fn retrieve(
    queue: &Object<Queue>,
    wanted: impl Fn(&Object<Request>) -> bool,
    none: Error,
) -> Result<WDFREQUEST, Error> {
    let mut state = queue.state.lock();
    if !state.dispatching {
        return Err(STATUS_WDF_PAUSED);
    }
    queue
        .take(&mut state, wanted)
        .map(|request| request.handle())
        .ok_or(none)
}

pub(crate) unsafe extern "system" fn retrieve_next_request(
    _: PWDF_DRIVER_GLOBALS,
    handle: WDFQUEUE,
    request: *mut WDFREQUEST,
) -> NTSTATUS {
    // SAFETY: the driver's handle.
    let result = retrieve(unsafe { queue(handle) }, |_| true, STATUS_NO_MORE_ENTRIES);
    // SAFETY: the driver's place for the result.
    unsafe { hand_out(result, request) }
}

pub(crate) unsafe extern "system" fn retrieve_request_by_file_object(
    _: PWDF_DRIVER_GLOBALS,
    handle: WDFQUEUE,
    file: WDFFILEOBJECT,
    request: *mut WDFREQUEST,
) -> NTSTATUS {
    // SAFETY: the driver's handle.
    let file = unsafe { object::object::<File>(file) };
    // SAFETY: the driver's handle.
    let queue = unsafe { queue(handle) };
    let result = retrieve(queue, |request| request.is_of(file), STATUS_NO_MORE_ENTRIES);
    // SAFETY: the driver's place for the result.
    unsafe { hand_out(result, request) }
}

pub(crate) unsafe extern "system" fn find_request(
    globals: PWDF_DRIVER_GLOBALS,
    handle: WDFQUEUE,
    after: WDFREQUEST,
    file: WDFFILEOBJECT,
    parameters: PWDF_REQUEST_PARAMETERS,
    found: *mut WDFREQUEST,
) -> NTSTATUS {
    // SAFETY: the driver's handle, or null for any file.
    let file = (!file.is_null()).then(|| unsafe { object::object::<File>(file) });
    // SAFETY: the driver's handle.
    let queue = unsafe { queue(handle) };
    let result = find(queue, after, file);
    if let (Ok(request), false) = (&result, parameters.is_null()) {
        // SAFETY: the driver's structure, and the request we hold.
        unsafe { crate::request::get_parameters(globals, request.handle(), parameters) };
    }
    // The driver gives the reference back with WdfObjectDereference.
    let result = result.map(|request| request.into_raw().as_ptr().cast());
    // SAFETY: the driver's place for the result.
    unsafe { hand_out(result, found) }
}

fn find(
    queue: &Object<Queue>,
    after: WDFREQUEST,
    file: Option<&Object<File>>,
) -> Result<Ref<Request>, Error> {
    let state = queue.state.lock();
    let mut waiting = state.waiting.iter();
    if !after.is_null() && !waiting.any(|request| request.handle() == after) {
        return Err(STATUS_NOT_FOUND);
    }
    waiting
        .find(|request| file.is_none_or(|file| request.is_of(file)))
        .map(Object::reference)
        .ok_or(STATUS_NO_MORE_ENTRIES)
}

pub(crate) unsafe extern "system" fn retrieve_found_request(
    _: PWDF_DRIVER_GLOBALS,
    handle: WDFQUEUE,
    found: WDFREQUEST,
    request: *mut WDFREQUEST,
) -> NTSTATUS {
    // SAFETY: the driver's handle.
    let queue = unsafe { queue(handle) };
    let result = retrieve(queue, |request| request.handle() == found, STATUS_NOT_FOUND);
    // SAFETY: the driver's place for the result.
    unsafe { hand_out(result, request) }
}

pub(crate) unsafe extern "system" fn get_device(
    _: PWDF_DRIVER_GLOBALS,
    handle: WDFQUEUE,
) -> WDFDEVICE {
    // SAFETY: the driver's handle.
    handle_or_null(unsafe { queue(handle) }.header().ancestor::<Device>())
}

pub(crate) unsafe extern "system" fn get_state(
    _: PWDF_DRIVER_GLOBALS,
    handle: WDFQUEUE,
    waiting: PULONG,
    owned: PULONG,
) -> WDF_IO_QUEUE_STATE {
    // SAFETY: the driver's handle.
    let (state, in_queue, with_driver) = unsafe { queue(handle) }.report();
    for (place, count) in [(waiting, in_queue), (owned, with_driver)] {
        if !place.is_null() {
            // SAFETY: the driver's place for the count.
            unsafe { place.write(count as u32) };
        }
    }
    state
}

pub(crate) unsafe extern "system" fn start(_: PWDF_DRIVER_GLOBALS, handle: WDFQUEUE) {
    // SAFETY: the driver's handle.
    unsafe { queue(handle) }.start();
}

pub(crate) unsafe extern "system" fn stop(
    _: PWDF_DRIVER_GLOBALS,
    handle: WDFQUEUE,
    callback: PFN_WDF_IO_QUEUE_STATE,
    context: WDFCONTEXT,
) {
    // SAFETY: the driver's handle.
    let queue = unsafe { queue(handle) };
    queue.stop();
    queue.call_when_quiet(false, callback, context);
}

pub(crate) unsafe extern "system" fn stop_synchronously(_: PWDF_DRIVER_GLOBALS, handle: WDFQUEUE) {
    // SAFETY: the driver's handle.
    let queue = unsafe { queue(handle) };
    queue.stop();
    queue.wait_until_quiet(false);
}

pub(crate) unsafe extern "system" fn drain(
    _: PWDF_DRIVER_GLOBALS,
    handle: WDFQUEUE,
    callback: PFN_WDF_IO_QUEUE_STATE,
    context: WDFCONTEXT,
) {
    // SAFETY: the driver's handle.
    let queue = unsafe { queue(handle) };
    queue.drain();
    queue.call_when_quiet(true, callback, context);
}

pub(crate) unsafe extern "system" fn drain_synchronously(_: PWDF_DRIVER_GLOBALS, handle: WDFQUEUE) {
    // SAFETY: the driver's handle.
    let queue = unsafe { queue(handle) };
    queue.drain();
    queue.wait_until_quiet(true);
}

pub(crate) unsafe extern "system" fn purge(
    _: PWDF_DRIVER_GLOBALS,
    handle: WDFQUEUE,
    callback: PFN_WDF_IO_QUEUE_STATE,
    context: WDFCONTEXT,
) {
    // SAFETY: the driver's handle.
    let queue = unsafe { queue(handle) };
    queue.purge();
    queue.call_when_quiet(true, callback, context);
}

pub(crate) unsafe extern "system" fn purge_synchronously(_: PWDF_DRIVER_GLOBALS, handle: WDFQUEUE) {
    // SAFETY: the driver's handle.
    let queue = unsafe { queue(handle) };
    queue.purge();
    queue.wait_until_quiet(true);
}
