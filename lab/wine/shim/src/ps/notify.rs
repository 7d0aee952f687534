//! Notify routines.

use super::poll;
use crate::object::Object;
use core::ffi::c_void;
use std::sync::{PoisonError, RwLock};
use windows_sys::Wdk::System::SystemServices::{
    PLOAD_IMAGE_NOTIFY_ROUTINE, PS_CREATE_NOTIFY_INFO, PsSetLoadImageNotifyRoutine,
};
use windows_sys::Win32::Foundation::{
    HANDLE, NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_PROCEDURE_NOT_FOUND, STATUS_SUCCESS,
};

/// Page "PCREATE_PROCESS_NOTIFY_ROUTINE_EX".
pub(super) type ProcessRoutine =
    unsafe extern "system" fn(Object, HANDLE, *mut PS_CREATE_NOTIFY_INFO);
/// Page "PCREATE_THREAD_NOTIFY_ROUTINE".
pub(super) type ThreadRoutine = unsafe extern "system" fn(HANDLE, HANDLE, bool);

/// Who is told of processes. Locked while they are, so that none is called after its removal.
pub(super) static PROCESS: RwLock<Vec<ProcessRoutine>> = RwLock::new(Vec::new());
/// Who is told of threads.
pub(super) static THREAD: RwLock<Vec<ThreadRoutine>> = RwLock::new(Vec::new());

/// `PsCreateProcessNotifySubsystems` and `PsCreateThreadNotifySubsystems`.
const SUBSYSTEMS: i32 = 0;
const THREAD_SUBSYSTEMS: i32 = 1;

fn add<R>(routines: &RwLock<Vec<R>>, routine: R) -> NTSTATUS {
    let mut all = routines.write().unwrap_or_else(PoisonError::into_inner);
    all.push(routine);
    drop(all);
    poll::begin();
    STATUS_SUCCESS
}

fn remove<R>(routines: &RwLock<Vec<R>>, is_it: impl Fn(&R) -> bool) -> NTSTATUS {
    let mut all = routines.write().unwrap_or_else(PoisonError::into_inner);
    let Some(place) = all.iter().position(is_it) else {
        return STATUS_PROCEDURE_NOT_FOUND;
    };
    all.remove(place);
    drop(all);
    if is_empty(&PROCESS) && is_empty(&THREAD) {
        poll::end();
    }
    STATUS_SUCCESS
}

fn is_empty<R>(routines: &RwLock<Vec<R>>) -> bool {
    let all = routines.read().unwrap_or_else(PoisonError::into_inner);
    all.is_empty()
}

/// Page "PsSetCreateProcessNotifyRoutineEx2".
///
/// # Safety
/// A routine that stays until it is removed.
#[unsafe(no_mangle)]
unsafe extern "system" fn PsSetCreateProcessNotifyRoutineEx2(
    kind: i32,
    routine: Option<ProcessRoutine>,
    removes: bool,
) -> NTSTATUS {
    match routine {
        Some(routine) if kind == SUBSYSTEMS && removes => {
            remove(&PROCESS, |known| *known as usize == routine as usize)
        }
        Some(routine) if kind == SUBSYSTEMS => add(&PROCESS, routine),
        _ => STATUS_INVALID_PARAMETER,
    }
}

/// Page "PsSetCreateThreadNotifyRoutineEx".
///
/// # Safety
/// As above.
#[unsafe(no_mangle)]
unsafe extern "system" fn PsSetCreateThreadNotifyRoutineEx(
    kind: i32,
    routine: Option<ThreadRoutine>,
) -> NTSTATUS {
    match routine {
        Some(routine) if kind == THREAD_SUBSYSTEMS => add(&THREAD, routine),
        _ => STATUS_INVALID_PARAMETER,
    }
}

/// Page "PsRemoveCreateThreadNotifyRoutine".
#[unsafe(no_mangle)]
extern "system" fn PsRemoveCreateThreadNotifyRoutine(routine: *const c_void) -> NTSTATUS {
    remove(&THREAD, |known| *known as *const c_void == routine)
}

/// Page "PsSetLoadImageNotifyRoutineEx". N.B. Wine tells of drivers that the same process loads, and
/// of nothing else.
///
/// # Safety
/// As above.
#[unsafe(no_mangle)]
unsafe extern "system" fn PsSetLoadImageNotifyRoutineEx(
    routine: PLOAD_IMAGE_NOTIFY_ROUTINE,
    _: usize,
) -> NTSTATUS {
    // SAFETY: the caller's promise.
    unsafe { PsSetLoadImageNotifyRoutine(routine) }
}
