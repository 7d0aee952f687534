//! Thread notification (page "PsSetCreateThreadNotifyRoutineEx").

use crate::nt::check;
use core::ffi::c_void;
use wdk_sys::ntddk::{PsRemoveCreateThreadNotifyRoutine, PsSetCreateThreadNotifyRoutineEx};
use wdk_sys::{_PSCREATETHREADNOTIFYTYPE, BOOLEAN, HANDLE, NTSTATUS};

/// What the system calls at PASSIVE_LEVEL or APC_LEVEL, with process and thread: on creation in the
/// creating thread, on exit in the thread itself.
pub(crate) type Routine = unsafe extern "C" fn(HANDLE, HANDLE, BOOLEAN);

/// From here on `routine` is called, perhaps before this returns; for threads of all subsystems.
/// IRQL = PASSIVE_LEVEL.
pub(crate) fn register(routine: Routine) -> Result<(), NTSTATUS> {
    // N.B. `PsCreateThreadNotifyNonSystem` calls in the new thread: the creator would be lost.
    // SAFETY: a routine of the type that this kind of notification has, and of this image, which
    // stays until the routine is removed.
    check(unsafe {
        PsSetCreateThreadNotifyRoutineEx(
            _PSCREATETHREADNOTIFYTYPE::PsCreateThreadNotifySubsystems,
            routine as *mut c_void,
        )
    })
}

/// Returns when the last call has. IRQL = PASSIVE_LEVEL, and not from inside a call.
pub(crate) fn unregister(routine: Routine) -> Result<(), NTSTATUS> {
    // SAFETY: only compared with what is registered.
    check(unsafe { PsRemoveCreateThreadNotifyRoutine(Some(routine)) })
}
