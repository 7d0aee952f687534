//! Event objects: events that programs have handles to.
//!
//! A program waits in a process of its own, so the signal is an `eventfd` that both sides have:
//! signalled is readable, and reading resets. Drivers know the object by its `KEVENT`, which they
//! use as any other.

use crate::ob::{Kind, Object};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::{Errno, read, write};
use std::cell::UnsafeCell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};
use windows_sys::Wdk::Foundation::KEVENT;

/// What a wait does to an event (page "EVENT_TYPE").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// Nothing: it stays signalled until it is reset.
    Notification,
    /// It is reset by the one wait that it ends.
    Synchronization,
}

/// In the header's reserved byte: the event is one of these objects.
const IS_OBJECT: u8 = 1;

/// An event object.
#[repr(C)]
pub(crate) struct EventObject {
    /// What drivers see. Its signal state is not used.
    nt: UnsafeCell<KEVENT>,
    kind: EventKind,
    signal: OwnedFd,
}

// SAFETY: the structure in the cell is not changed after it was made, and what drivers do with it
// goes through the functions for events, to the signal.
unsafe impl Send for EventObject {}
// SAFETY: as above.
unsafe impl Sync for EventObject {}

impl Object for EventObject {
    const KIND: Kind = Kind::Event;
    fn describe(&self) -> String {
        format!("{:?}", self.kind)
    }
}

impl EventObject {
    /// An event that is not signalled.
    ///
    /// # Errors
    /// When the host has no descriptor left for it.
    pub(crate) fn new(kind: EventKind) -> io::Result<EventObject> {
        let mut nt = KEVENT::default();
        nt.Header.Anonymous.Anonymous2.Type = kind as u8;
        nt.Header.Anonymous.Anonymous2.Reserved1 = IS_OBJECT;
        let signal = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(EventObject {
            nt: UnsafeCell::new(nt),
            kind,
            signal,
        })
    }

    /// The object that `event` is, if it is one.
    ///
    /// # Safety
    /// `event` points to an initialised event that lives as long as the result is used.
    pub(super) unsafe fn of<'a>(event: *const KEVENT) -> Option<&'a EventObject> {
        // SAFETY: all initialised events have a header, whose first word never changes.
        let header = unsafe { (*event).Header.Anonymous };
        // SAFETY: any four bytes are these four.
        let header = unsafe { header.Anonymous2 };
        // SAFETY: `KeInitializeEvent` leaves the byte 0, so it was made by `new`, and its KEVENT is
        // the object's first field.
        (header.Reserved1 == IS_OBJECT).then(|| unsafe { &*event.cast() })
    }

    /// Signals it. Was it already?
    pub(crate) fn set(&self) -> bool {
        let state = self.poll(PollFlags::IN | PollFlags::OUT, Some(Duration::ZERO));
        // The other side can fill the count, and have writing to it wait. It is signalled then.
        // N.B. One that fills it in between holds up whoever signals; no event of Windows' does.
        if state.contains(PollFlags::OUT) {
            let _ = write(&self.signal, &1u64.to_ne_bytes());
        }
        state.contains(PollFlags::IN)
    }

    /// Ends the signal. Was it there?
    pub(crate) fn reset(&self) -> bool {
        read(&self.signal, &mut [0; size_of::<u64>()]).is_ok()
    }

    /// Is it signalled?
    pub(crate) fn is_set(&self) -> bool {
        !self.poll(PollFlags::IN, Some(Duration::ZERO)).is_empty()
    }

    /// Waits, for good without a `timeout`, and does to the event what a wait does. `false` if it
    /// was not signalled in time.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> bool {
        // A time that the host cannot express is as good as none.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if self.poll(PollFlags::IN, left).is_empty() {
                return false;
            }
            // Another may have been faster.
            if self.kind == EventKind::Notification || self.reset() {
                return true;
            }
        }
    }

    /// Which of `wanted` the signal is ready for, waited for until there is one.
    fn poll(&self, wanted: PollFlags, timeout: Option<Duration>) -> PollFlags {
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let mut signals = [PollFd::new(&self.signal, wanted)];
        while poll(&mut signals, timeout.as_ref()) == Err(Errno::INTR) {}
        signals[0].revents()
    }
}

impl AsFd for EventObject {
    /// The signal, to be waited for elsewhere.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.signal.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::Client;
    use crate::ke::event::{KeReadStateEvent, KeResetEvent, KeSetEvent, KeWaitForSingleObject};
    use crate::ob::ObjectRef;
    use crate::{Config, Kernel};
    use std::sync::Arc;
    use std::thread;
    use windows_sys::Win32::Foundation::{NTSTATUS, STATUS_SUCCESS, STATUS_TIMEOUT};

    const SOON: Duration = Duration::from_millis(1);
    const AT_LAST: Duration = Duration::from_secs(60);

    /// An event as a driver has it.
    struct Driver(Arc<Kernel>, ObjectRef<EventObject>);

    impl Driver {
        fn event(&self) -> *mut KEVENT {
            self.1.as_ptr().cast()
        }

        fn set(&self) -> bool {
            // SAFETY: the event is referenced.
            unsafe { KeSetEvent(self.event(), 0, 0) != 0 }
        }

        fn is_set(&self) -> bool {
            // SAFETY: the event is referenced.
            unsafe { KeReadStateEvent(self.event()) != 0 }
        }

        fn reset(&self) -> bool {
            // SAFETY: the event is referenced.
            unsafe { KeResetEvent(self.event()) != 0 }
        }

        fn wait(&self) -> NTSTATUS {
            self.0.enter(&self.0.ps.system, || {
                // SAFETY: the event is referenced, and the timeout a constant.
                unsafe { KeWaitForSingleObject(self.event(), 0, 0, 0, &0) }
            })
        }
    }

    fn event(kind: EventKind) -> (Client, usize, Driver) {
        let kernel = Kernel::boot(Config::default());
        let client = Client::new(&kernel, kernel.add_process(Default::default()));
        let handle = client.create_event_of(kind).unwrap();
        let driver = Driver(kernel, client.object(handle, 0).unwrap());
        (client, handle, driver)
    }

    #[test]
    fn a_driver_wakes_a_program_that_waits() {
        let (client, handle, driver) = event(EventKind::Synchronization);
        assert_eq!(client.wait_event(handle, SOON), Ok(false));
        thread::scope(|scope| {
            let woken = scope.spawn(|| client.wait_event(handle, AT_LAST));
            assert!(!driver.set());
            assert_eq!(woken.join().unwrap(), Ok(true));
        });
    }

    #[test]
    fn however_often_it_is_set_one_wait_takes_the_signal_of_one_that_resets_itself() {
        let (client, handle, driver) = event(EventKind::Synchronization);
        assert_eq!([driver.set(), driver.set()], [false, true]);
        assert_eq!(client.wait_event(handle, SOON), Ok(true));
        assert_eq!(client.wait_event(handle, SOON), Ok(false));
        driver.set();
        assert_eq!(
            [driver.wait(), driver.wait()],
            [STATUS_SUCCESS, STATUS_TIMEOUT]
        );
    }

    #[test]
    fn whatever_the_other_side_does_to_the_signal_a_driver_that_sets_it_goes_on() {
        let (_client, _, driver) = event(EventKind::Synchronization);
        let theirs = driver.1.as_fd().try_clone_to_owned().unwrap();
        write(&theirs, &(u64::MAX - 1).to_ne_bytes()).unwrap();
        rustix::fs::fcntl_setfl(&theirs, rustix::fs::OFlags::empty()).unwrap();
        assert!(driver.set());
        assert!(driver.is_set());
    }

    #[test]
    fn a_notification_event_stays_set_until_it_is_reset() {
        let (client, handle, driver) = event(EventKind::Notification);
        driver.set();
        assert_eq!(client.wait_event(handle, SOON), Ok(true));
        assert_eq!(driver.wait(), STATUS_SUCCESS);
        assert!(driver.is_set());
        assert_eq!([driver.reset(), driver.reset()], [true, false]);
        assert_eq!(client.wait_event(handle, SOON), Ok(false));
        assert!(!driver.is_set());
    }
}
