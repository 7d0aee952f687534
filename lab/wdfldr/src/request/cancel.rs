//! Cancellation.
//!
//! Whoever clears an IRP's cancel routine while it is set owns the request; if the I/O manager was
//! first, the cancel routine runs and owns it. Both cancel routines wait for the lock that the
//! routine was set under, so that the one who set it may still look at the IRP.

use windows_sys::Wdk::Foundation::{DEVICE_OBJECT, IRP};
use windows_sys::Win32::Foundation::{STATUS_CANCELLED, STATUS_SUCCESS};

use super::Request;
use crate::kmdf::*;
use crate::nt::{self, Irp};
use crate::object::{self, Object, Ref};

/// The request of an IRP that the I/O manager is cancelling.
///
/// # Safety
/// Called first thing in a cancel routine, with its IRP.
unsafe fn begin(irp: *mut IRP) -> Ref<Request> {
    let Some(irp) = core::ptr::NonNull::new(irp) else {
        nt::bug_check(WDF_REQUEST_FATAL_ERROR as usize, 0, 0, 0)
    };
    // SAFETY: the request that set the routine is not completed while the routine runs: it has
    // lost the race for it.
    let irp = unsafe { Irp::new(irp) };
    // SAFETY: `Request::create` stored its handle in the IRP.
    let request = unsafe { object::object::<Request>(irp.context()) }.reference();
    // SAFETY: the caller's promise.
    unsafe { irp.release_cancel_spin_lock() };
    request
}

/// The cancel routine of a request that waits in a queue.
pub(crate) unsafe extern "system" fn on_queue(_: *mut DEVICE_OBJECT, irp: *mut IRP) {
    // SAFETY: this is a cancel routine.
    let request = unsafe { begin(irp) };
    if let Some(queue) = request.queue() {
        queue.cancel(&request);
    }
}

/// The cancel routine of a request the driver owns and marked cancelable.
unsafe extern "system" fn on_driver(_: *mut DEVICE_OBJECT, irp: *mut IRP) {
    // SAFETY: this is a cancel routine.
    let request = unsafe { begin(irp) };
    let callback = request.cancel.lock().take();
    if let Some(callback) = callback {
        // N.B. KMDF defers this to PASSIVE_LEVEL where the execution level asks for it and
        // IoCancelIrp was called above; nothing here calls it above.
        // SAFETY: the driver's callback with its handle.
        unsafe { callback(request.handle()) };
    }
}

impl Object<Request> {
    /// False if the request is cancelled already and the callback will not be called.
    fn make_cancelable(&self, callback: PFN_WDF_REQUEST_CANCEL) -> bool {
        let mut cancel = self.cancel.lock();
        let irp = self.irp();
        if !irp.set_cancel_routine(on_driver) {
            nt::bug_check(
                WDF_REQUEST_FATAL_ERROR as usize,
                self.handle() as usize,
                0,
                0,
            );
        }
        // If the routine is gone again, it runs, and waits for the lock.
        let refused = irp.is_cancelled() && irp.clear_cancel_routine();
        if !refused {
            *cancel = callback;
        }
        !refused
    }

    /// Takes the callback back before the I/O manager does; the caller then owns the request.
    pub(crate) fn take_cancel_callback(&self) -> PFN_WDF_REQUEST_CANCEL {
        let mut cancel = self.cancel.lock();
        // A request whose callback was taken may be completed by it already.
        if cancel.is_some() && self.pending_irp().is_some_and(Irp::clear_cancel_routine) {
            return cancel.take();
        }
        None
    }
}

pub(crate) unsafe extern "system" fn mark_cancelable(
    _: PWDF_DRIVER_GLOBALS,
    request: WDFREQUEST,
    callback: PFN_WDF_REQUEST_CANCEL,
) {
    // SAFETY: the driver's handle.
    let request = unsafe { object::object::<Request>(request) };
    if !request.make_cancelable(callback)
        && let Some(callback) = callback
    {
        // SAFETY: the driver's callback with its handle. N.B. It runs before this returns.
        unsafe { callback(request.handle()) };
    }
}

pub(crate) unsafe extern "system" fn mark_cancelable_ex(
    _: PWDF_DRIVER_GLOBALS,
    request: WDFREQUEST,
    callback: PFN_WDF_REQUEST_CANCEL,
) -> NTSTATUS {
    // SAFETY: the driver's handle.
    match unsafe { object::object::<Request>(request) }.make_cancelable(callback) {
        true => STATUS_SUCCESS,
        false => STATUS_CANCELLED,
    }
}

pub(crate) unsafe extern "system" fn unmark_cancelable(
    _: PWDF_DRIVER_GLOBALS,
    request: WDFREQUEST,
) -> NTSTATUS {
    // SAFETY: the driver's handle.
    match unsafe { object::object::<Request>(request) }.take_cancel_callback() {
        Some(_) => STATUS_SUCCESS,
        None => STATUS_CANCELLED,
    }
}
