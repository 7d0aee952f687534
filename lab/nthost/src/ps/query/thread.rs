//! What drivers ask about threads.

use super::answer;
use crate::Current;
use crate::exports::exports;
use crate::ob::handle;
use crate::ps::{Process, Thread};
use std::ffi::c_void;
use windows_sys::Wdk::System::Threading::{
    THREADINFOCLASS, ThreadQuerySetWin32StartAddress, ThreadSubsystemInformation,
};
use windows_sys::Win32::Foundation::{
    NTSTATUS, STATUS_INVALID_INFO_CLASS, STATUS_INVALID_PARAMETER, STATUS_SUCCESS,
};

exports! {
    HIGH_LEVEL: PsGetThreadProcessId;
    DISPATCH_LEVEL: IoThreadToProcess, PsGetThreadId, PsGetThreadProcess, PsIsSystemThread;
    APC_LEVEL: PsGetThreadExitStatus, PsLookupThreadByThreadId;
    PASSIVE_LEVEL: ZwQueryInformationThread;
}

/// IRQL ≤ DISPATCH_LEVEL.
unsafe extern "win64" fn PsGetThreadId(thread: *const Thread) -> usize {
    // SAFETY: the driver passes a thread that it holds.
    unsafe { (*thread).id as usize }
}

/// Any IRQL.
unsafe extern "win64" fn PsGetThreadProcessId(thread: *const Thread) -> usize {
    // SAFETY: the driver passes a thread that it holds.
    unsafe { &*thread }.process.id as usize
}

/// IRQL ≤ DISPATCH_LEVEL. The process that the thread belongs to, attached or not. No reference
/// is taken: the thread holds its process.
unsafe extern "win64" fn PsGetThreadProcess(thread: *const Thread) -> *mut Process {
    // SAFETY: the driver passes a thread that it holds.
    unsafe { &*thread }.process.as_ptr()
}

/// IRQL ≤ DISPATCH_LEVEL. As `PsGetThreadProcess`.
unsafe extern "win64" fn IoThreadToProcess(thread: *const Thread) -> *mut Process {
    // SAFETY: the caller's promise.
    unsafe { PsGetThreadProcess(thread) }
}

/// IRQL ≤ APC_LEVEL.
unsafe extern "win64" fn PsGetThreadExitStatus(thread: *const Thread) -> NTSTATUS {
    // SAFETY: the driver passes a thread that it holds.
    unsafe { &*thread }.exit_status()
}

/// IRQL ≤ DISPATCH_LEVEL.
unsafe extern "win64" fn PsIsSystemThread(thread: *const Thread) -> u8 {
    // SAFETY: the driver passes a thread that it holds.
    u8::from(unsafe { &*thread }.is_system())
}

/// IRQL ≤ APC_LEVEL. The reference is the driver's to give back.
///
/// N.B. Windows finds a thread until its object is gone, the model until it has exited.
unsafe extern "win64" fn PsLookupThreadByThreadId(id: usize, thread: *mut *mut c_void) -> NTSTATUS {
    let found = u32::try_from(id)
        .ok()
        .and_then(|id| Current::with(|current| current.kernel.ps.find_thread(id)));
    let Some(found) = found else {
        return STATUS_INVALID_PARAMETER;
    };
    // SAFETY: the driver passes a place for the pointer.
    unsafe { thread.write(found.into_driver()) };
    STATUS_SUCCESS
}

/// IRQL = PASSIVE_LEVEL. Of the classes those that tell what drivers can learn in no other way;
/// each is a number.
unsafe extern "win64" fn ZwQueryInformationThread(
    thread: usize,
    class: THREADINFOCLASS,
    information: *mut u8,
    len: u32,
    needed: *mut u32,
) -> NTSTATUS {
    let thread = match handle::typed_object_of::<Thread>(thread) {
        Ok(thread) => thread,
        Err(status) => return status,
    };
    let (value, size) = match class {
        ThreadQuerySetWin32StartAddress => {
            let address = thread.start_address;
            ((address != 0).then_some(address), size_of::<usize>())
        }
        ThreadSubsystemInformation => (Some(u64::from(thread.wsl)), 4),
        _ => return STATUS_INVALID_INFO_CLASS,
    };
    // SAFETY: the driver passes a buffer of `len` bytes, and a place for the length or null.
    unsafe { answer(value, size, information, len, needed) }
}
