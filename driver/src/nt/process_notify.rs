//! Process notification (page "PsSetCreateProcessNotifyRoutineEx2").

use crate::nt::check;
use core::ffi::c_void;
use wdk_sys::ntddk::PsSetCreateProcessNotifyRoutineEx2;
use wdk_sys::{
    _PSCREATEPROCESSNOTIFYTYPE, HANDLE, NTSTATUS, PEPROCESS, PPS_CREATE_NOTIFY_INFO, TRUE,
};

/// What the system calls at PASSIVE_LEVEL: on creation in the creating thread, on exit in the
/// last thread.
pub(crate) type Routine = unsafe extern "C" fn(PEPROCESS, HANDLE, PPS_CREATE_NOTIFY_INFO);

/// From here on `routine` is called, perhaps before this returns. IRQL = PASSIVE_LEVEL.
pub(crate) fn register(routine: Routine) -> Result<(), NTSTATUS> {
    set(routine, false)
}

/// Returns when the last call has. IRQL = PASSIVE_LEVEL, and not from inside a call.
pub(crate) fn unregister(routine: Routine) -> Result<(), NTSTATUS> {
    set(routine, true)
}

fn set(routine: Routine, remove: bool) -> Result<(), NTSTATUS> {
    // SAFETY: a routine of the type that this kind of notification has, and of this image, which
    // stays until the routine is removed.
    check(unsafe {
        PsSetCreateProcessNotifyRoutineEx2(
            _PSCREATEPROCESSNOTIFYTYPE::PsCreateProcessNotifySubsystems,
            routine as *mut c_void,
            if remove { TRUE as u8 } else { 0 },
        )
    })
}
