//! The rights that callbacks may take away (page "OB_PRE_CREATE_HANDLE_INFORMATION").

use crate::ob::Kind;
use windows_sys::Win32::System::Threading::{
    PROCESS_CREATE_PROCESS, PROCESS_CREATE_THREAD, PROCESS_DUP_HANDLE, PROCESS_SET_INFORMATION,
    PROCESS_SET_QUOTA, PROCESS_SUSPEND_RESUME, PROCESS_TERMINATE, PROCESS_VM_OPERATION,
    PROCESS_VM_WRITE, THREAD_DIRECT_IMPERSONATION, THREAD_IMPERSONATE, THREAD_SET_CONTEXT,
    THREAD_SET_INFORMATION, THREAD_SET_LIMITED_INFORMATION, THREAD_SET_THREAD_TOKEN,
    THREAD_SUSPEND_RESUME, THREAD_TERMINATE,
};

const OF_PROCESS: u32 = PROCESS_CREATE_PROCESS
    | PROCESS_CREATE_THREAD
    | PROCESS_DUP_HANDLE
    | PROCESS_SET_QUOTA
    | PROCESS_SET_INFORMATION
    | PROCESS_SUSPEND_RESUME
    | PROCESS_TERMINATE
    | PROCESS_VM_OPERATION
    | PROCESS_VM_WRITE;

const OF_THREAD: u32 = THREAD_DIRECT_IMPERSONATION
    | THREAD_IMPERSONATE
    | THREAD_SET_CONTEXT
    | THREAD_SET_INFORMATION
    | THREAD_SET_LIMITED_INFORMATION
    | THREAD_SET_THREAD_TOKEN
    | THREAD_SUSPEND_RESUME
    | THREAD_TERMINATE;

/// Whether callbacks can be registered for objects of this type.
///
/// N.B. Windows 10 has them for desktops too; the model has no desktops.
pub(super) fn supports_callbacks(kind: Kind) -> bool {
    matches!(kind, Kind::Process | Kind::Thread)
}

/// The rights to an object of this type that a callback may take away.
pub(super) fn removable(kind: Kind) -> u32 {
    match kind {
        Kind::Process => OF_PROCESS,
        Kind::Thread => OF_THREAD,
        _ => 0,
    }
}
