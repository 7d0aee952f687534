//! Presenting requests to the driver.

use windows_sys::Win32::Foundation::{STATUS_INVALID_DEVICE_REQUEST, STATUS_SUCCESS};

use super::{Queue, State};
use crate::kmdf::*;
use crate::nt;
use crate::object::{Object, Ref};
use crate::request::{self, Request};

impl Object<Queue> {
    /// Presents what may be presented now. At most DISPATCH_LEVEL.
    pub(crate) fn dispatch(&self) {
        if self.is_manual() || self.must_wait_for_passive() {
            return;
        }
        loop {
            let request = {
                let mut state = self.state.lock();
                let Some(request) = self.next(&mut state) else {
                    return;
                };
                request
            };
            self.present(&request);
            if self.is_limited() {
                self.state.lock().presenting = false;
            }
        }
    }

    /// The next request to present, if its turn has come.
    fn next(&self, state: &mut State) -> Option<Ref<Request>> {
        if !state.dispatching {
            return None;
        }
        if self.is_limited() {
            // One thread presents: a handler that completes its request at once does not nest.
            if state.presenting || state.owned.len() >= self.limit() {
                return None;
            }
        }
        let request = self.take(state, |_| true)?;
        state.presenting = self.is_limited();
        Some(request)
    }

    fn limit(&self) -> usize {
        match self.config.DispatchType {
            WdfIoQueueDispatchSequential => 1,
            _ => self.config.Settings as usize,
        }
    }

    fn is_limited(&self) -> bool {
        self.limit() < u32::MAX as usize
    }

    /// Calls the handler for the request's type.
    fn present(&self, request: &Object<Request>) {
        let (queue, handle, config) = (self.handle(), request.handle(), &self.config);
        let irp = request.irp();
        match request.kind() {
            WdfRequestTypeDeviceControl | WdfRequestTypeDeviceControlInternal => {
                let callback = match request.kind() {
                    WdfRequestTypeDeviceControl => config.EvtIoDeviceControl,
                    _ => config.EvtIoInternalDeviceControl,
                };
                if let Some(callback) = callback {
                    let control = irp.device_control();
                    let (output, input) = (control.output_length, control.input_length);
                    // SAFETY: the driver's callback with its handles.
                    unsafe {
                        callback(queue, handle, output as usize, input as usize, control.code)
                    };
                    return;
                }
            }
            WdfRequestTypeRead | WdfRequestTypeWrite => {
                let length = irp.read_write().0 as usize;
                if length == 0 && config.AllowZeroLengthRequests == 0 {
                    return request::complete(request, STATUS_SUCCESS, 0);
                }
                let callback = match request.kind() {
                    WdfRequestTypeRead => config.EvtIoRead,
                    _ => config.EvtIoWrite,
                };
                if let Some(callback) = callback {
                    // SAFETY: the driver's callback with its handles.
                    unsafe { callback(queue, handle, length) };
                    return;
                }
            }
            _ => {}
        }
        match config.EvtIoDefault {
            // SAFETY: the driver's callback with its handles.
            Some(callback) => unsafe { callback(queue, handle) },
            None => request::complete(request, STATUS_INVALID_DEVICE_REQUEST, 0),
        }
    }

    /// Gives requests that were cancelled in the queue to EvtIoCanceledOnQueue.
    pub(super) fn present_cancelled(&self) {
        let Some(callback) = self.config.EvtIoCanceledOnQueue else {
            return;
        };
        if self.must_wait_for_passive() {
            return;
        }
        loop {
            let request = {
                let mut state = self.state.lock();
                let Some(request) = state.cancelled.take(|_| true) else {
                    return;
                };
                state.owned.push_back(request.reference());
                request
            };
            // SAFETY: the driver's callback with its handles.
            unsafe { callback(self.handle(), request.handle()) };
        }
    }

    /// True if the queue's callbacks want PASSIVE_LEVEL and this is not; they follow then.
    fn must_wait_for_passive(&self) -> bool {
        let wait = self.work_item.is_some() && !nt::is_passive();
        if wait {
            self.schedule();
        }
        wait
    }
}
