//! Who the current thread and process are.

use crate::Current;
use crate::exports::exports;
use crate::ps::{Process, Thread};

exports! {
    DISPATCH_LEVEL: ExGetPreviousMode;
    HIGH_LEVEL: IoGetCurrentProcess, PsGetCurrentProcess, PsGetCurrentProcessId,
        PsGetCurrentThread, PsGetCurrentThreadId;
}

const KERNEL_MODE: u8 = 0;
const USER_MODE: u8 = 1;

/// Any IRQL. The process that the thread is attached to, if it is.
extern "win64" fn PsGetCurrentProcess() -> *mut Process {
    Current::with(|current| current.thread.current_process_ptr())
}

/// `PsGetCurrentProcess` under the name that the headers make of it. Any IRQL.
extern "win64" fn IoGetCurrentProcess() -> *mut Process {
    PsGetCurrentProcess()
}

/// Any IRQL.
///
/// N.B. Drivers on x64 may read it at gs:[188h] instead, which no driver of the model can.
extern "win64" fn PsGetCurrentThread() -> *mut Thread {
    Current::with(|current| current.thread.as_ptr())
}

/// Any IRQL.
///
/// N.B. Unlike `PsGetCurrentProcess` this is about the process that the thread belongs to, even
/// while it is attached to another.
extern "win64" fn PsGetCurrentProcessId() -> usize {
    Current::with(|current| current.thread.process.id as usize)
}

/// Any IRQL.
extern "win64" fn PsGetCurrentThreadId() -> usize {
    Current::with(|current| current.thread.id as usize)
}

/// IRQL ≤ DISPATCH_LEVEL. In the model the system's threads run for the kernel, and all others came from user
/// mode.
extern "win64" fn ExGetPreviousMode() -> u8 {
    Current::with(|current| match current.thread.is_system() {
        true => KERNEL_MODE,
        false => USER_MODE,
    })
}
