//! What drivers ask about processes.

use super::answer;
use crate::Current;
use crate::exports::exports;
use crate::ob::{AnyObject, ObjectRef, handle};
use crate::ps::Process;
use crate::se::Token;
use std::ffi::c_void;
use std::ptr;
use windows_sys::Wdk::System::Threading::{
    PROCESSINFOCLASS, ProcessProtectionInformation, ProcessSessionInformation,
    ProcessSubsystemInformation, ProcessWow64Information,
};
use windows_sys::Win32::Foundation::{
    NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_INFO_CLASS, STATUS_INVALID_PARAMETER,
    STATUS_SUCCESS, STATUS_UNSUCCESSFUL, UNICODE_STRING,
};

exports! {
    HIGH_LEVEL: PsGetProcessCreateTimeQuadPart, PsGetProcessId;
    DISPATCH_LEVEL: PsGetProcessStartKey;
    APC_LEVEL: PsDereferencePrimaryToken, PsGetProcessExitStatus, PsLookupProcessByProcessId;
    PASSIVE_LEVEL: PsReferencePrimaryToken, SeLocateProcessImageName, ZwQueryInformationProcess;
}

/// Whose the names are that `SeLocateProcessImageName` hands out.
const POOL_TAG: u32 = u32::from_le_bytes(*b"SeIn");

/// Any IRQL.
unsafe extern "win64" fn PsGetProcessId(process: *const Process) -> usize {
    // SAFETY: the driver passes a process that it holds.
    unsafe { (*process).id as usize }
}

/// IRQL ≤ DISPATCH_LEVEL.
unsafe extern "win64" fn PsGetProcessStartKey(process: *const Process) -> u64 {
    // SAFETY: the driver passes a process that it holds.
    unsafe { (*process).key }
}

/// Any IRQL.
unsafe extern "win64" fn PsGetProcessCreateTimeQuadPart(process: *const Process) -> i64 {
    // SAFETY: the driver passes a process that it holds.
    unsafe { (*process).create_time }
}

/// IRQL ≤ APC_LEVEL.
unsafe extern "win64" fn PsGetProcessExitStatus(process: *const Process) -> NTSTATUS {
    // SAFETY: the driver passes a process that it holds.
    unsafe { &*process }.exit_status()
}

/// IRQL ≤ APC_LEVEL. The reference is the driver's to give back.
///
/// N.B. Windows finds a process until its object is gone, the model until it has exited.
unsafe extern "win64" fn PsLookupProcessByProcessId(
    id: usize,
    process: *mut *mut c_void,
) -> NTSTATUS {
    let found = u32::try_from(id)
        .ok()
        .and_then(|id| Current::with(|current| current.kernel.ps.find(id)));
    let Some(found) = found else {
        return STATUS_INVALID_PARAMETER;
    };
    // SAFETY: the driver passes a place for the pointer.
    unsafe { process.write(found.into_driver()) };
    STATUS_SUCCESS
}

/// IRQL = PASSIVE_LEVEL. To be given back with `PsDereferencePrimaryToken`.
unsafe extern "win64" fn PsReferencePrimaryToken(process: *const Process) -> *mut c_void {
    // SAFETY: the driver passes a process that it holds.
    let token: ObjectRef<Token> = unsafe { &*process }.token.clone();
    token.into_driver()
}

/// IRQL < DISPATCH_LEVEL.
unsafe extern "win64" fn PsDereferencePrimaryToken(token: *mut c_void) {
    // SAFETY: the driver gives up a reference that `PsReferencePrimaryToken` gave it.
    drop(unsafe { AnyObject::from_driver(token) });
}

/// IRQL = PASSIVE_LEVEL. The string and its text are one block of pool, the driver's to free.
unsafe extern "win64" fn SeLocateProcessImageName(
    process: *const Process,
    name: *mut *mut UNICODE_STRING,
) -> NTSTATUS {
    // SAFETY: the driver passes a process that it holds.
    let Some(path) = unsafe { &*process }.image_path.as_deref() else {
        return STATUS_UNSUCCESSFUL;
    };
    let size = size_of::<UNICODE_STRING>() + size_of_val(path);
    let block = Current::with(|c| c.kernel.pool.allocate_paged(size, 16, POOL_TAG, 0));
    let string: *mut UNICODE_STRING = block.cast();
    if string.is_null() {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    // SAFETY: the text comes right behind the structure, in the same block.
    let text: *mut u16 = unsafe { string.add(1) }.cast();
    // SAFETY: the block has room for all of `path`.
    unsafe { text.copy_from_nonoverlapping(path.as_ptr(), path.len()) };
    let bytes = size_of_val(path) as u16;
    let value = UNICODE_STRING {
        Length: bytes,
        MaximumLength: bytes,
        // A process without an image file has a name without text, the harder case for a driver.
        Buffer: if bytes == 0 { ptr::null_mut() } else { text },
    };
    // SAFETY: the block begins with the structure.
    unsafe { string.write(value) };
    // SAFETY: the driver passes a place for the pointer.
    unsafe { name.write(string) };
    STATUS_SUCCESS
}

/// IRQL = PASSIVE_LEVEL. Of the classes those that tell what drivers can learn in no other way;
/// each is a number.
unsafe extern "win64" fn ZwQueryInformationProcess(
    process: usize,
    class: PROCESSINFOCLASS,
    information: *mut u8,
    len: u32,
    needed: *mut u32,
) -> NTSTATUS {
    let process = match handle::typed_object_of::<Process>(process) {
        Ok(process) => process,
        Err(status) => return status,
    };
    let (value, size) = match class {
        // The address of the 32-bit environment block, or 0.
        ProcessWow64Information => (process.wow64.map(u64::from), size_of::<usize>()),
        ProcessProtectionInformation => (process.protection.map(u64::from), 1),
        ProcessSubsystemInformation => (Some(u64::from(process.wsl)), 4),
        ProcessSessionInformation => (process.token.session.map(u64::from), 4),
        _ => return STATUS_INVALID_INFO_CLASS,
    };
    // SAFETY: the driver passes a buffer of `len` bytes, and a place for the length or null.
    unsafe { answer(value, size, information, len, needed) }
}
