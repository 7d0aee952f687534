//! `WdfWorkItem…`.

use windows_sys::Wdk::Foundation::DEVICE_OBJECT;
use windows_sys::Win32::Foundation::{
    STATUS_INFO_LENGTH_MISMATCH, STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_PARAMETER,
};

use core::ffi::c_void;

use crate::device::Device;
use crate::job;
use crate::kmdf::*;
use crate::nt::{self, Error, Event, SpinLock};
use crate::object::{self, Attributes, Body, Header, Kind, Object, create_child_with, hand_out};

/// A callback for a system thread.
///
/// N.B. As in KMDF, enqueueing while the callback runs queues it again, and the second call may
/// run beside the first.
pub(crate) struct WorkItem {
    callback: unsafe extern "system" fn(WDFWORKITEM),
    item: nt::WorkItem,
    state: SpinLock<State>,
    /// Signalled while nothing is queued and nothing runs.
    idle: Event,
}

#[derive(Default)]
struct State {
    queued: bool,
    /// Queued and running.
    pending: usize,
}

impl Body for WorkItem {
    const KIND: Kind = Kind::WorkItem;

    /// Deleting waits for what is queued or runs.
    fn dispose(this: &Object<Self>) {
        this.flush();
    }
}

impl Object<WorkItem> {
    fn enqueue(&self) {
        let mut state = self.state.lock();
        if state.queued {
            return;
        }
        state.queued = true;
        state.pending += 1;
        self.idle.clear();
        // SAFETY: the flag says that the item is not queued; `run` expects a work item.
        unsafe { job::queue(&self.item, run, self) };
    }

    fn run(&self) {
        self.state.lock().queued = false;
        // SAFETY: the driver's callback with its handle.
        unsafe { (self.callback)(self.handle()) };
        let mut state = self.state.lock();
        state.pending -= 1;
        if state.pending == 0 {
            self.idle.set();
        }
    }

    fn flush(&self) {
        self.idle.wait();
    }
}

unsafe extern "system" fn run(_: *mut DEVICE_OBJECT, context: *mut c_void) {
    // SAFETY: `enqueue` queued this with a work item.
    unsafe { job::run::<WorkItem>(context, Object::run) };
}

pub(crate) unsafe extern "system" fn create(
    _: PWDF_DRIVER_GLOBALS,
    config: PWDF_WORKITEM_CONFIG,
    attributes: PWDF_OBJECT_ATTRIBUTES,
    work_item: *mut WDFWORKITEM,
) -> NTSTATUS {
    // SAFETY: the driver's structure.
    let config = unsafe { &*config };
    // SAFETY: the driver's attributes.
    let result = unsafe { Attributes::read(attributes) }
        .and_then(|attributes| create_work_item(config, &attributes));
    // SAFETY: the driver's place for the result.
    unsafe { hand_out(result, work_item) }
}

fn create_work_item(
    config: &WDF_WORKITEM_CONFIG,
    attributes: &Attributes,
) -> Result<WDFWORKITEM, Error> {
    if config.Size as usize != size_of::<WDF_WORKITEM_CONFIG>() {
        return Err(STATUS_INFO_LENGTH_MISMATCH);
    }
    let callback = config.EvtWorkItemFunc.ok_or(STATUS_INVALID_PARAMETER)?;
    if attributes.parent.is_null() {
        return Err(STATUS_WDF_PARENT_NOT_SPECIFIED);
    }
    // SAFETY: the driver's handle.
    let parent = unsafe { object::header(attributes.parent) };
    let device = parent
        .ancestor::<Device>()
        .ok_or(STATUS_INVALID_DEVICE_REQUEST)?;
    // N.B. AutomaticSerialization serialises with the callbacks of a synchronization scope;
    // without a scope, the only kind there is here, it has nothing to do.
    let body = WorkItem {
        callback,
        item: nt::WorkItem::allocate(device.wdm())?,
        state: SpinLock::new(State::default()),
        idle: Event::uninitialized(),
    };
    create_child_with(attributes, device.any(), body, |item| {
        item.idle.initialize_notification(true);
        Ok(())
    })
}

pub(crate) unsafe extern "system" fn enqueue(_: PWDF_DRIVER_GLOBALS, work_item: WDFWORKITEM) {
    // SAFETY: the driver's handle.
    unsafe { object::object::<WorkItem>(work_item) }.enqueue();
}

pub(crate) unsafe extern "system" fn flush(_: PWDF_DRIVER_GLOBALS, work_item: WDFWORKITEM) {
    // SAFETY: the driver's handle.
    unsafe { object::object::<WorkItem>(work_item) }.flush();
}

pub(crate) unsafe extern "system" fn get_parent_object(
    _: PWDF_DRIVER_GLOBALS,
    work_item: WDFWORKITEM,
) -> WDFOBJECT {
    // SAFETY: the driver's handle.
    let item = unsafe { object::object::<WorkItem>(work_item) };
    item.header()
        .parent()
        .map_or(core::ptr::null_mut(), Header::handle)
}
