//! I/O queues: who gets which request when.
//!
//! A request in `waiting` has a cancel routine; to take it out is to clear that routine first
//! (see [`crate::request`]). No lock is held while the driver is called or a request completed.

mod api;
mod present;
mod state;

use core::ffi::c_void;

use windows_sys::Wdk::Foundation::DEVICE_OBJECT;
use windows_sys::Win32::Foundation::STATUS_CANCELLED;

use crate::device::Device;
use crate::job;
use crate::kmdf::*;
use crate::nt::{self, Error, Event, Irp, SpinLock};
use crate::object::{Body, Kind, List, Object, Ref};
use crate::request::{self, Request};

pub(crate) use api::*;
use state::Quiet;

/// A queue of requests of one device.
pub(crate) struct Queue {
    config: WDF_IO_QUEUE_CONFIG,
    /// For callbacks of a queue whose execution level is passive, from higher IRQLs.
    work_item: Option<nt::WorkItem>,
    state: SpinLock<State>,
    /// Set when a request left, for those who wait until the queue is quiet.
    left: Event,
}

/// What the lock guards.
struct State {
    waiting: List<Request>,
    owned: List<Request>,
    /// Owned, and to be given to EvtIoCanceledOnQueue at PASSIVE_LEVEL.
    cancelled: List<Request>,
    accepting: bool,
    dispatching: bool,
    /// A thread presents the requests of a queue that limits how many are presented at once.
    presenting: bool,
    work_queued: bool,
    /// To be called when the queue is quiet.
    quiet: Option<Quiet>,
}

/// Where a request joins a queue.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Front,
    Back,
}

impl Body for Queue {
    const KIND: Kind = Kind::Queue;

    fn dispose(this: &Object<Self>) {
        {
            let mut state = this.state.lock();
            state.accepting = false;
            state.dispatching = false;
        }
        this.cancel_all(|_| true);
        if let Some(device) = this.header().ancestor::<Device>() {
            device.remove_queue(this);
        }
    }
}

impl Object<Queue> {
    pub(crate) fn is_manual(&self) -> bool {
        self.config.DispatchType == WdfIoQueueDispatchManual
    }

    /// Adds a request that nobody owns.
    ///
    /// # Errors
    /// The request, and why: the queue does not accept requests.
    pub(crate) fn insert(
        &self,
        request: Ref<Request>,
        end: End,
    ) -> Result<(), (Ref<Request>, Error)> {
        let keep = request.reference();
        let mut state = self.state.lock();
        if !state.accepting {
            drop(state);
            return Err((request, STATUS_WDF_BUSY));
        }
        let before = request.set_queue(Some(self.reference()));
        match end {
            End::Front => state.waiting.push_front(request),
            End::Back => state.waiting.push_back(request),
        }
        let irp = keep.irp();
        irp.set_cancel_routine(request::on_queue);
        // If the routine is gone again, it runs, and waits for the lock.
        let cancelled = irp.is_cancelled() && irp.clear_cancel_routine();
        drop(state);
        drop(before);
        if cancelled {
            self.cancel(&keep);
        }
        Ok(())
    }

    /// Ends a waiting request whose cancel routine is cleared, by whoever cleared it.
    pub(crate) fn cancel(&self, request: &Object<Request>) {
        {
            let mut state = self.state.lock();
            let Some(this) = state.waiting.remove(request) else {
                return;
            };
            // The driver is told of a request it has seen, and completes it.
            if request.is_presented() && self.config.EvtIoCanceledOnQueue.is_some() {
                state.cancelled.push_back(this);
            } else {
                state.owned.push_back(this);
                drop(state);
                request::complete(request, STATUS_CANCELLED, 0);
                return;
            }
        }
        self.present_cancelled();
    }

    /// Cancels the waiting requests that `wanted` accepts, except those being cancelled already.
    pub(crate) fn cancel_all(&self, wanted: impl Fn(&Object<Request>) -> bool) {
        loop {
            let request = {
                let state = self.state.lock();
                let mut waiting = state.waiting.iter();
                let found = waiting.find(|this| wanted(this) && this.irp().clear_cancel_routine());
                found.map(Object::reference)
            };
            let Some(request) = request else { return };
            self.cancel(&request);
        }
    }

    /// Takes the first waiting request that `wanted` accepts for the driver.
    fn take(
        &self,
        state: &mut State,
        wanted: impl Fn(&Object<Request>) -> bool,
    ) -> Option<Ref<Request>> {
        let first = |this: &Object<Request>| wanted(this) && this.irp().clear_cancel_routine();
        let request = state.waiting.take(first)?;
        request.set_presented();
        state.owned.push_back(request.reference());
        Some(request)
    }

    /// Takes the IRP of a request the driver completes, while nobody else looks at it.
    pub(crate) fn begin_completion(
        &self,
        request: &Object<Request>,
        take_irp: impl FnOnce() -> Irp,
    ) -> Irp {
        let state = self.state.lock();
        if !state.owned.iter().any(|this| core::ptr::eq(this, request)) {
            drop(state);
            request::not_owned(request)
        }
        take_irp()
    }

    /// Takes a request the driver owns out of the queue.
    pub(crate) fn disown(&self, request: &Object<Request>) -> Option<Ref<Request>> {
        self.state.lock().owned.remove(request)
    }

    /// Moves a request the driver owns to another queue, or back into this one. On error the
    /// driver still owns it.
    pub(crate) fn hand_over(
        &self,
        request: &Object<Request>,
        to: &Object<Queue>,
        end: End,
    ) -> Result<(), Error> {
        let this = self
            .disown(request)
            .unwrap_or_else(|| request::not_owned(request));
        to.insert(this, end).map_err(|(request, status)| {
            self.state.lock().owned.push_back(request);
            status
        })
    }

    /// After the driver gave up a request: the next one may go, and those who wait may be done.
    pub(crate) fn request_left(&self) {
        self.settle();
        self.dispatch();
    }

    /// Runs [`work`] at PASSIVE_LEVEL, unless it is about to.
    fn schedule(&self) {
        let Some(item) = &self.work_item else { return };
        let mut state = self.state.lock();
        if core::mem::replace(&mut state.work_queued, true) {
            return;
        }
        // SAFETY: the flag says that the item is not queued; `work` expects a queue.
        unsafe { job::queue(item, work, self) };
    }
}

/// What had to wait for PASSIVE_LEVEL.
unsafe extern "system" fn work(_: *mut DEVICE_OBJECT, context: *mut c_void) {
    // SAFETY: `schedule` queued this with a queue.
    unsafe {
        job::run::<Queue>(context, |queue| {
            queue.state.lock().work_queued = false;
            queue.present_cancelled();
            queue.dispatch();
        });
    }
}
