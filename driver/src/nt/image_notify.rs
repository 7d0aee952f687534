//! Image notification (page "PsSetLoadImageNotifyRoutineEx").

use crate::nt::check;
use wdk_sys::ntddk::{PsRemoveLoadImageNotifyRoutine, PsSetLoadImageNotifyRoutineEx};
use wdk_sys::{
    HANDLE, NTSTATUS, PIMAGE_INFO, PS_IMAGE_NOTIFY_CONFLICTING_ARCHITECTURE, PUNICODE_STRING,
};

/// What the system calls at PASSIVE_LEVEL, sometimes with special kernel APCs off, so that nothing
/// that does I/O would end: with the image's name, the process and the image.
pub(crate) type Routine = unsafe extern "C" fn(PUNICODE_STRING, HANDLE, PIMAGE_INFO);

/// From here on `routine` is called, perhaps before this returns; for images of other processors
/// as well. IRQL = PASSIVE_LEVEL.
pub(crate) fn register(routine: Routine) -> Result<(), NTSTATUS> {
    let flags = u64::from(PS_IMAGE_NOTIFY_CONFLICTING_ARCHITECTURE);
    // SAFETY: a routine of the type asked for, and of this image, which stays until it is removed.
    check(unsafe { PsSetLoadImageNotifyRoutineEx(Some(routine), flags) })
}

/// Returns when the last call has. IRQL = PASSIVE_LEVEL, and not from inside a call.
pub(crate) fn unregister(routine: Routine) -> Result<(), NTSTATUS> {
    // SAFETY: only compared with what is registered.
    check(unsafe { PsRemoveLoadImageNotifyRoutine(Some(routine)) })
}
