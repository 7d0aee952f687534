//! Starting, stopping, draining and purging.

use super::{Queue, State};
use crate::kmdf::*;
use crate::object::Object;

/// Someone who wants to know when a queue is quiet.
pub(super) struct Quiet {
    /// Requests that wait count too, not only those the driver owns.
    waiting_too: bool,
    callback: unsafe extern "system" fn(WDFQUEUE, WDFCONTEXT),
    context: WDFCONTEXT,
}

// SAFETY: the context is the driver's, passed back to it once.
unsafe impl Send for Quiet {}

impl State {
    fn is_quiet(&self, waiting_too: bool) -> bool {
        let idle = self.owned.is_empty() && self.cancelled.is_empty();
        idle && (!waiting_too || self.waiting.is_empty())
    }
}

impl Object<Queue> {
    /// `WdfIoQueueStart`.
    pub(super) fn start(&self) {
        {
            let mut state = self.state.lock();
            state.accepting = true;
            state.dispatching = true;
        }
        self.dispatch();
    }

    /// `WdfIoQueueStop`: requests are accepted and wait.
    pub(super) fn stop(&self) {
        self.state.lock().dispatching = false;
    }

    /// `WdfIoQueueDrain`: no more requests; those that are here are presented.
    pub(super) fn drain(&self) {
        self.state.lock().accepting = false;
        self.dispatch();
    }

    /// `WdfIoQueuePurge`: no more requests; those that are here are cancelled.
    pub(super) fn purge(&self) {
        self.state.lock().accepting = false;
        self.cancel_all(|_| true);
        self.cancel_owned();
    }

    /// Calls EvtRequestCancel for the requests the driver owns and marked cancelable.
    fn cancel_owned(&self) {
        loop {
            let mut callback = None;
            let request = {
                let state = self.state.lock();
                let mut owned = state.owned.iter();
                let found = owned.find(|request| {
                    callback = request.take_cancel_callback();
                    callback.is_some()
                });
                found.map(Object::reference)
            };
            let (Some(request), Some(callback)) = (request, callback) else {
                return;
            };
            // SAFETY: the driver's callback with its handle, taken from the request once.
            unsafe { callback(request.handle()) };
        }
    }

    /// Calls the driver back once the queue is quiet, perhaps before this returns.
    pub(super) fn call_when_quiet(
        &self,
        waiting_too: bool,
        callback: PFN_WDF_IO_QUEUE_STATE,
        context: WDFCONTEXT,
    ) {
        let Some(callback) = callback else { return };
        self.state.lock().quiet = Some(Quiet {
            waiting_too,
            callback,
            context,
        });
        self.settle();
    }

    /// Waits until the queue is quiet. PASSIVE_LEVEL.
    pub(super) fn wait_until_quiet(&self, waiting_too: bool) {
        loop {
            {
                let state = self.state.lock();
                if state.is_quiet(waiting_too) {
                    return;
                }
                // Under the lock: whoever makes the queue quiet later sets it after this.
                self.left.clear();
            }
            self.left.wait();
        }
    }

    /// After a request left: tells those who wait.
    pub(super) fn settle(&self) {
        let quiet = {
            let mut state = self.state.lock();
            let due = state
                .quiet
                .as_ref()
                .is_some_and(|quiet| state.is_quiet(quiet.waiting_too));
            if due { state.quiet.take() } else { None }
        };
        self.left.set();
        if let Some(quiet) = quiet {
            // SAFETY: the driver's callback with its handle and context.
            unsafe { (quiet.callback)(self.handle(), quiet.context) };
        }
    }

    /// `WDF_IO_QUEUE_STATE` flags, requests that wait, requests the driver owns.
    pub(super) fn report(&self) -> (WDF_IO_QUEUE_STATE, usize, usize) {
        let state = self.state.lock();
        let (waiting, owned) = (
            state.waiting.len(),
            state.owned.len() + state.cancelled.len(),
        );
        let flags = [
            (state.accepting, WdfIoQueueAcceptRequests),
            (state.dispatching, WdfIoQueueDispatchRequests),
            (waiting == 0, WdfIoQueueNoRequests),
            (owned == 0, WdfIoQueueDriverNoRequests),
        ];
        let set = flags.into_iter().filter(|(set, _)| *set);
        (set.fold(0, |all, (_, flag)| all | flag), waiting, owned)
    }
}
