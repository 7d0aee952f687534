//! Events and waits.

use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use windows_sys::Wdk::Foundation::KEVENT;
use windows_sys::Win32::Foundation::{NTSTATUS, STATUS_SUCCESS, STATUS_TIMEOUT};

use super::event_object::EventObject;
use super::irql::{APC_LEVEL, DISPATCH_LEVEL};
use super::{bug_check, futex};
use crate::Current;
use crate::exports::exports;

exports! {
    HIGH_LEVEL: KeInitializeEvent;
    DISPATCH_LEVEL: KeSetEvent, KeClearEvent, KeResetEvent, KeReadStateEvent, KeWaitForSingleObject;
    APC_LEVEL: KeDelayExecutionThread;
}

const NOTIFICATION: u8 = 0;
const SYNCHRONIZATION: u8 = 1;

/// The part of a `KEVENT` that the model uses, of one in a driver's own memory. Its list of waiters
/// stays empty: who waits sleeps on the signal state itself.
struct Event {
    kind: u8,
    state: *const AtomicI32,
}

impl Event {
    /// # Safety
    /// `event` points to an initialised event.
    unsafe fn at(event: *mut KEVENT) -> Event {
        // SAFETY: the first byte of every dispatcher object is its type, and it never changes.
        let kind = unsafe { event.cast::<u8>().read() };
        // SAFETY: the field is inside of the event.
        let state = unsafe { &raw const (*event).Header.SignalState };
        Event {
            kind,
            state: state.cast(),
        }
    }

    /// # Safety
    /// The event is still alive.
    unsafe fn state(&self) -> &AtomicI32 {
        // SAFETY: an aligned integer in the live event, used as an atomic by everybody.
        unsafe { &*self.state }
    }
}

/// Any IRQL.
unsafe extern "win64" fn KeInitializeEvent(event: *mut KEVENT, kind: i32, state: u8) {
    let mut fresh = KEVENT::default();
    fresh.Header.Anonymous.Anonymous2.Type = kind as u8;
    fresh.Header.Anonymous.Anonymous2.Size = (size_of::<KEVENT>() / size_of::<i32>()) as u8;
    fresh.Header.SignalState = i32::from(state != 0);
    // SAFETY: the driver passes storage for an event.
    unsafe { event.write(fresh) };
    // SAFETY: the list head is inside of the event that was just written.
    let head = unsafe { &raw mut (*event).Header.WaitListHead };
    let empty = windows_sys::Win32::System::Kernel::LIST_ENTRY {
        Flink: head,
        Blink: head,
    };
    // SAFETY: as above.
    unsafe { head.write(empty) };
}

/// IRQL ≤ DISPATCH_LEVEL. Returns the state before.
pub(super) unsafe extern "win64" fn KeSetEvent(
    event: *mut KEVENT,
    _increment: i32,
    _wait: u8,
) -> i32 {
    // SAFETY: the driver passes an initialised event, and keeps a reference if it is an object.
    if let Some(object) = unsafe { EventObject::of(event) } {
        return i32::from(object.set());
    }
    // SAFETY: as above.
    let event = unsafe { Event::at(event) };
    let waiters = if event.kind == NOTIFICATION {
        i32::MAX
    } else {
        1
    };
    // SAFETY: the event is alive until it is set: a waiter that sees it set may free it.
    let before = unsafe { event.state() }.swap(1, Ordering::Release);
    if before == 0 {
        futex::wake(event.state, waiters);
    }
    before
}

/// IRQL ≤ DISPATCH_LEVEL. Returns the state before.
pub(super) unsafe extern "win64" fn KeResetEvent(event: *mut KEVENT) -> i32 {
    // SAFETY: as for `KeSetEvent`.
    if let Some(object) = unsafe { EventObject::of(event) } {
        return i32::from(object.reset());
    }
    // SAFETY: the driver passes an initialised event.
    let event = unsafe { Event::at(event) };
    // SAFETY: as above.
    unsafe { event.state() }.swap(0, Ordering::AcqRel)
}

/// IRQL ≤ DISPATCH_LEVEL.
unsafe extern "win64" fn KeClearEvent(event: *mut KEVENT) {
    // SAFETY: the driver passes an initialised event.
    unsafe { KeResetEvent(event) };
}

/// IRQL ≤ DISPATCH_LEVEL.
pub(super) unsafe extern "win64" fn KeReadStateEvent(event: *mut KEVENT) -> i32 {
    // SAFETY: as for `KeSetEvent`.
    if let Some(object) = unsafe { EventObject::of(event) } {
        return i32::from(object.is_set());
    }
    // SAFETY: the driver passes an initialised event.
    let event = unsafe { Event::at(event) };
    // SAFETY: as above.
    unsafe { event.state() }.load(Ordering::Acquire)
}

/// IRQL ≤ APC_LEVEL; ≤ DISPATCH_LEVEL if the timeout is zero.
///
/// Waits for events only: drivers here wait for nothing else yet. There are no APCs that could
/// alert a thread.
pub(super) unsafe extern "win64" fn KeWaitForSingleObject(
    object: *mut KEVENT,
    _reason: i32,
    _mode: i8,
    _alertable: u8,
    timeout: *const i64,
) -> NTSTATUS {
    // SAFETY: the driver passes an initialised dispatcher object, and null or a time.
    let (event, timeout) = (unsafe { Event::at(object) }, unsafe { timeout.as_ref() });
    let deadline = timeout.map(|&timeout| Instant::now() + span(timeout));
    if timeout != Some(&0) {
        may_wait("KeWaitForSingleObject");
    }
    // SAFETY: as for `KeSetEvent`.
    if let Some(awaited) = unsafe { EventObject::of(object) } {
        return match awaited.wait(timeout.map(|&timeout| span(timeout))) {
            true => STATUS_SUCCESS,
            false => STATUS_TIMEOUT,
        };
    }
    // SAFETY: the driver keeps the event alive while it waits for it.
    let state = unsafe { event.state() };
    loop {
        let signalled = match event.kind {
            NOTIFICATION => state.load(Ordering::Acquire) != 0,
            SYNCHRONIZATION => state
                .compare_exchange(1, 0, Ordering::Acquire, Ordering::Relaxed)
                .is_ok(),
            kind => bug_check!(
                DRIVER_VERIFIER_DETECTED_VIOLATION,
                "a wait for a dispatcher object of type {kind}, which this kernel has none of"
            ),
        };
        if signalled {
            return STATUS_SUCCESS;
        }
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            return STATUS_TIMEOUT;
        }
        futex::wait(state, 0, left);
    }
}

/// IRQL ≤ APC_LEVEL.
unsafe extern "win64" fn KeDelayExecutionThread(
    _mode: i8,
    _alertable: u8,
    interval: *const i64,
) -> NTSTATUS {
    may_wait("KeDelayExecutionThread");
    // SAFETY: the driver passes an interval.
    thread::sleep(span(unsafe { ptr::read(interval) }));
    STATUS_SUCCESS
}

/// How long a timeout lasts: negative ones are relative, others are points in system time.
fn span(timeout: i64) -> Duration {
    let units = if timeout < 0 {
        timeout.unsigned_abs()
    } else {
        let now = Current::with(|current| current.kernel.clock.now());
        timeout.saturating_sub(now).max(0).unsigned_abs()
    };
    Duration::from_nanos(units.saturating_mul(100))
}

fn may_wait(function: &str) {
    let irql = Current::with(|current| current.thread.ke.irql());
    if irql > APC_LEVEL {
        bug_check!(
            IRQL_NOT_LESS_OR_EQUAL,
            "{function} would wait at IRQL {irql}; at most {APC_LEVEL} is allowed, {DISPATCH_LEVEL} with a timeout of zero"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, Kernel};
    use std::sync::atomic::AtomicUsize;

    /// An event, made on a machine of its own.
    struct Probe(Box<KEVENT>);

    // SAFETY: an event is made to be used by several threads.
    unsafe impl Sync for Probe {}

    impl Probe {
        fn new(kind: u8) -> Probe {
            let mut event = Box::new(KEVENT::default());
            // SAFETY: storage for an event.
            unsafe { KeInitializeEvent(&raw mut *event, i32::from(kind), 0) };
            Probe(event)
        }

        fn at(&self) -> *mut KEVENT {
            (&raw const *self.0).cast_mut()
        }

        fn set(&self) {
            // SAFETY: initialised and live.
            unsafe { KeSetEvent(self.at(), 0, 0) };
        }

        fn wait(&self, timeout: Option<i64>) -> NTSTATUS {
            let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
            // SAFETY: initialised and live.
            unsafe { KeWaitForSingleObject(self.at(), 0, 0, 0, timeout) }
        }
    }

    /// Sets the event whenever it is not set, until `waiters` threads have come through. Returns
    /// how often they took the signal away.
    fn taken_by(kind: u8, waiters: usize) -> usize {
        let kernel = Kernel::boot(Config::default());
        let (event, released) = (Probe::new(kind), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..waiters {
                scope.spawn(|| {
                    kernel.enter(&kernel.ps.system, || event.wait(None));
                    released.fetch_add(1, Ordering::Relaxed);
                });
            }
            // SAFETY: initialised and live.
            let state = || unsafe { KeReadStateEvent(event.at()) } as usize;
            let mut sets = 0;
            while released.load(Ordering::Relaxed) < waiters {
                if state() == 0 {
                    event.set();
                    sets += 1;
                }
                thread::yield_now();
            }
            sets - state()
        })
    }

    #[test]
    fn a_notification_event_releases_all_who_wait() {
        assert_eq!(taken_by(NOTIFICATION, 4), 0);
    }

    #[test]
    fn a_synchronization_event_releases_one_at_a_time() {
        assert_eq!(taken_by(SYNCHRONIZATION, 4), 4);
    }

    #[test]
    fn a_wait_ends_with_its_timeout() {
        let kernel = Kernel::boot(Config::default());
        kernel.enter(&kernel.ps.system, || {
            let event = Probe::new(NOTIFICATION);
            for timeout in [0, -10_000, 1] {
                assert_eq!(event.wait(Some(timeout)), STATUS_TIMEOUT);
            }
        });
    }
}
