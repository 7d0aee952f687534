//! Events: what this process waits for.

use super::device::last_fault;
use crate::transport::Fault;
use std::os::windows::io::{AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::ptr::null;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use windows_sys::Win32::Foundation::{WAIT_OBJECT_0, WAIT_TIMEOUT};
use windows_sys::Win32::System::Threading::{
    CreateEventW, INFINITE, SetEvent, WaitForMultipleObjects,
};

/// What ends an event's being signalled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reset {
    ByHand,
    /// A wait that it has ended.
    ByWait,
}

/// An event that nobody else knows, not signalled.
pub(super) fn create(reset: Reset) -> Result<OwnedHandle, Fault> {
    // SAFETY: both pointers may be null.
    let event = unsafe { CreateEventW(null(), i32::from(reset == Reset::ByHand), 0, null()) };
    if event.is_null() {
        return Err(last_fault());
    }
    // SAFETY: a handle that was just created and that nobody else has.
    Ok(unsafe { OwnedHandle::from_raw_handle(event) })
}

/// Waits until one of the events is signalled, and says which: the first, if more are. `None` when
/// `timeout` is over.
pub(super) fn wait_for_any<const N: usize>(
    events: [BorrowedHandle<'_>; N],
    timeout: Option<Duration>,
) -> Result<Option<usize>, Fault> {
    let handles = events.map(|event| event.as_raw_handle());
    // Rounded up, so that a wait is not over before its time.
    let milliseconds = timeout.map_or(INFINITE, |timeout| {
        let rounded = timeout.as_nanos().div_ceil(1_000_000);
        u32::try_from(rounded).unwrap_or(INFINITE).min(INFINITE - 1)
    });
    // SAFETY: as many handles as are said to be, open as long as they are borrowed.
    let woken = unsafe { WaitForMultipleObjects(N as u32, handles.as_ptr(), 0, milliseconds) };
    match woken {
        WAIT_TIMEOUT => Ok(None),
        nth if nth.wrapping_sub(WAIT_OBJECT_0) < N as u32 => {
            Ok(Some((nth - WAIT_OBJECT_0) as usize))
        }
        _ => Err(last_fault()),
    }
}

/// Says that no more reads are wanted, to those who sleep, too.
#[derive(Debug)]
pub(super) struct Stop {
    is_set: AtomicBool,
    /// Signalled once it is set.
    pub(super) event: OwnedHandle,
}

impl Stop {
    pub(super) fn new() -> Result<Self, Fault> {
        Ok(Self {
            is_set: AtomicBool::new(false),
            event: create(Reset::ByHand)?,
        })
    }

    pub(super) fn set(&self) {
        self.is_set.store(true, Ordering::SeqCst);
        // SAFETY: an event that is open as long as this is.
        unsafe { SetEvent(self.event.as_raw_handle()) };
    }

    pub(super) fn is_set(&self) -> bool {
        self.is_set.load(Ordering::SeqCst)
    }
}
