//! Requests: an IRP and who owns it.
//!
//! A request's first reference is where its ownership is: in the `waiting` list of a queue, in the
//! `owned` list of the queue it was presented from, or with the driver and in no queue (a create,
//! or between EvtIoInCallerContext and `WdfDeviceEnqueueRequest`). Completion takes the IRP out of
//! the request, so it happens once.

mod api;
mod buffer;
mod cancel;

use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use windows_sys::Wdk::Foundation::IRP;

use crate::device::Device;
use crate::file::{self, File};
use crate::kmdf::*;
use crate::nt::{self, Error, Irp, SpinLock};
use crate::object::{Body, Kind, Object, Ref, delete_root};
use crate::queue::Queue;

pub(crate) use api::*;
pub(crate) use buffer::*;
pub(crate) use cancel::{mark_cancelable, mark_cancelable_ex, on_queue, unmark_cancelable};

/// An I/O request.
pub(crate) struct Request {
    /// Null once completed.
    irp: AtomicPtr<IRP>,
    /// `WdfRequestType…`.
    kind: u32,
    device: Ref<Device>,
    file: Option<Ref<File>>,
    process_id: u32,
    /// The queue that it waits in or was presented from.
    queue: SpinLock<Option<Ref<Queue>>>,
    /// In no queue, and its first reference is with the driver.
    loose: AtomicBool,
    /// The driver has seen it, so it is told when it is cancelled in a queue.
    presented: AtomicBool,
    /// `EvtRequestCancel`, while the request is cancelable.
    cancel: SpinLock<PFN_WDF_REQUEST_CANCEL>,
}

impl Body for Request {
    const KIND: Kind = Kind::Request;
}

impl Request {
    /// A request for an IRP that a device of ours received, owned by the framework.
    pub(crate) fn create(
        device: &Object<Device>,
        irp: Irp,
        kind: u32,
        file: Option<Ref<File>>,
    ) -> Result<Ref<Self>, Error> {
        let body = Self {
            irp: AtomicPtr::new(irp.as_ptr()),
            kind,
            device: device.reference(),
            file,
            process_id: nt::current_process_id(),
            queue: SpinLock::new(None),
            loose: AtomicBool::new(false),
            presented: AtomicBool::new(false),
            cancel: SpinLock::new(None),
        };
        let request = Object::create(&device.config().request_attributes, None, body)?;
        irp.set_information(0);
        irp.set_context(request.handle());
        Ok(request)
    }

    /// The IRP. A request that is completed has none: a bug check, as in KMDF.
    pub(crate) fn irp(&self) -> Irp {
        self.pending_irp().unwrap_or_else(|| completed_already())
    }

    /// The IRP, if it is not completed.
    pub(crate) fn pending_irp(&self) -> Option<Irp> {
        let irp = NonNull::new(self.irp.load(Ordering::Acquire))?;
        // SAFETY: stored by `create`, taken out before it is completed.
        Some(unsafe { Irp::new(irp) })
    }

    pub(crate) fn kind(&self) -> u32 {
        self.kind
    }

    pub(crate) fn is_of(&self, file: &Object<File>) -> bool {
        self.file.as_deref().is_some_and(|this| ptr::eq(this, file))
    }

    pub(crate) fn queue(&self) -> Option<Ref<Queue>> {
        self.queue.lock().as_deref().map(Object::reference)
    }

    /// Sets the queue the request belongs to; returns the one before.
    pub(crate) fn set_queue(&self, queue: Option<Ref<Queue>>) -> Option<Ref<Queue>> {
        core::mem::replace(&mut *self.queue.lock(), queue)
    }

    pub(crate) fn is_presented(&self) -> bool {
        self.presented.load(Ordering::Relaxed)
    }

    pub(crate) fn set_presented(&self) {
        self.presented.store(true, Ordering::Relaxed);
    }

    fn take_irp(&self) -> Irp {
        let irp = NonNull::new(self.irp.swap(ptr::null_mut(), Ordering::AcqRel));
        // SAFETY: stored by `create`, and only this exchange saw it.
        irp.map_or_else(|| completed_already(), |irp| unsafe { Irp::new(irp) })
    }
}

/// Gives a request in no queue to the driver, or to whoever calls [`complete`].
pub(crate) fn give_to_driver(request: Ref<Request>) -> WDFREQUEST {
    let handle = request.handle();
    request.loose.store(true, Ordering::Release);
    // Taken back by `take_from_driver`.
    let _ = request.into_raw();
    handle
}

/// Takes a request in no queue back. One that is not there is a bug check.
pub(crate) fn take_from_driver(request: &Object<Request>) -> Ref<Request> {
    if !request.loose.swap(false, Ordering::AcqRel) {
        not_owned(request)
    }
    // SAFETY: the first reference, which `give_to_driver` left with the driver.
    unsafe { Ref::from_raw(request.header().this()) }
}

/// Completes a request the driver owns, and lets its queue go on. At most DISPATCH_LEVEL.
pub(crate) fn complete(request: &Object<Request>, status: NTSTATUS, boost: i8) {
    match request.queue() {
        Some(queue) => {
            // The queue may look at the IRP of a request it owns, under its lock.
            let irp = queue.begin_completion(request, || request.take_irp());
            end(request, irp, status, boost);
            let this = queue.disown(request).unwrap_or_else(|| not_owned(request));
            delete_root(this.into_any());
            queue.request_left();
        }
        None => {
            let this = take_from_driver(request);
            let irp = request.take_irp();
            end(request, irp, status, boost);
            delete_root(this.into_any());
        }
    }
}

fn end(request: &Object<Request>, irp: Irp, status: NTSTATUS, boost: i8) {
    if request.cancel.lock().is_some() {
        // Completed while cancelable: the cancel routine would find a request that is gone.
        nt::bug_check(
            WDF_REQUEST_FATAL_ERROR as usize,
            request.handle() as usize,
            0,
            0,
        );
    }
    if request.kind == WdfRequestTypeCreate
        && status < 0
        && let Some(file) = &request.file
    {
        file::forget(&request.device, file);
    }
    irp.complete(status, boost);
}

fn completed_already() -> ! {
    let code = WDF_REQUEST_FATAL_ERROR_NULL_IRP as usize;
    nt::bug_check(WDF_REQUEST_FATAL_ERROR as usize, code, 0, 0)
}

pub(crate) fn not_owned(request: &Object<Request>) -> ! {
    let code = WDF_REQUEST_FATAL_ERROR_REQUEST_NOT_IN_QUEUE as usize;
    nt::bug_check(
        WDF_REQUEST_FATAL_ERROR as usize,
        code,
        request.handle() as usize,
        0,
    )
}
