//! Events of user mode's.

use crate::nt::object::HeldObject;
use core::ptr;
use wdk_sys::ntddk::KeSetEvent;
use wdk_sys::{_MODE, ExEventObjectType, HANDLE, KPROCESSOR_MODE, NTSTATUS, STATUS_INVALID_HANDLE};

/// Page "Synchronization Object Security and Access Rights".
const EVENT_MODIFY_STATE: u32 = 0x0002;
/// `IO_NO_INCREMENT`: who waits gets no boost.
const NO_INCREMENT: i32 = 0;

/// An event that a client waits for, and this value holds a reference to.
pub(crate) struct Event(HeldObject);

impl Event {
    /// The event of a handle of the process that asks, which must be allowed to set it. Page
    /// "ObReferenceObjectByHandle". IRQL = PASSIVE_LEVEL, in a thread of that process.
    pub(crate) fn of_user_handle(handle: u64) -> Result<Self, NTSTATUS> {
        let handle: HANDLE = usize::try_from(handle)
            .map(ptr::without_provenance_mut)
            .map_err(|_| STATUS_INVALID_HANDLE)?;
        // SAFETY: set by the system before any driver is loaded, and never changed.
        let event_type = unsafe { ExEventObjectType };
        // SAFETY: likewise; where it points, the type is.
        let event_type = unsafe { *event_type };
        let mode = _MODE::UserMode as KPROCESSOR_MODE;
        // SAFETY: in user mode's name, so that only what it may do is done, and a type.
        unsafe { HeldObject::by_handle(handle, EVENT_MODIFY_STATE, event_type, mode) }.map(Self)
    }

    /// Wakes who waits for it. Page "KeSetEvent". IRQL ≤ DISPATCH_LEVEL.
    pub(crate) fn set(&self) {
        // SAFETY: an event, as its type was asked for, which the reference holds; with no wait to
        // follow.
        unsafe { KeSetEvent(self.0.as_ptr().cast(), NO_INCREMENT, 0) };
    }
}
