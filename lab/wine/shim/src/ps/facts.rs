//! What processes and threads tell.

use crate::ex::ExAllocatePool2;
use crate::object::{Facts, Handle, Object};
use core::ffi::c_void;
use core::mem::offset_of;
use core::ptr;
use windows_sys::Wdk::System::SystemServices::KERNEL_USER_TIMES;
use windows_sys::Wdk::System::Threading::{
    NtQueryInformationProcess, ProcessBasicInformation, ProcessImageFileName, ProcessTimes,
    ThreadBasicInformation,
};
use windows_sys::Win32::Foundation::{
    NTSTATUS, STATUS_NO_MEMORY, STATUS_SUCCESS, STATUS_UNSUCCESSFUL, UNICODE_STRING,
};
use windows_sys::Win32::System::Diagnostics::Debug::ReadProcessMemory;
use windows_sys::Win32::System::Threading::{
    PEB, PROCESS_BASIC_INFORMATION, PROCESS_QUERY_INFORMATION, PROCESS_VM_READ,
    RTL_USER_PROCESS_PARAMETERS, THREAD_QUERY_INFORMATION,
};

/// `THREAD_BASIC_INFORMATION`, of which the first member is wanted.
#[repr(C)]
struct ThreadBasic {
    exit_status: NTSTATUS,
    rest: [usize; 5],
}

// SAFETY: numbers and addresses, one behind the other.
unsafe impl Facts for PROCESS_BASIC_INFORMATION {}
// SAFETY: likewise.
unsafe impl Facts for KERNEL_USER_TIMES {}
// SAFETY: likewise.
unsafe impl Facts for ThreadBasic {}

/// Room for a path or command line of Windows' greatest length.
const ROOM: usize = size_of::<UNICODE_STRING>() + 0x1_0000;

/// Page "PsGetProcessStartKey". N.B. Wine counts no processes; with the pid the time of creation is
/// as good a key, and `ntwatch.exe` takes it for one there, too.
///
/// # Safety
/// A process that somebody holds; likewise below.
#[unsafe(no_mangle)]
unsafe extern "system" fn PsGetProcessStartKey(process: Object) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { PsGetProcessCreateTimeQuadPart(process) as u64 }
}

/// Page "PsGetProcessCreateTimeQuadPart".
///
/// # Safety
/// As above.
#[unsafe(no_mangle)]
unsafe extern "system" fn PsGetProcessCreateTimeQuadPart(process: Object) -> i64 {
    // SAFETY: the caller's promise.
    let handle = unsafe { Handle::open(process, PROCESS_QUERY_INFORMATION) };
    let times = handle.and_then(|handle| handle.process::<KERNEL_USER_TIMES>(ProcessTimes));
    times.map_or(0, |times| times.CreateTime)
}

/// Page "PsGetProcessExitStatus".
///
/// # Safety
/// As above.
#[unsafe(no_mangle)]
unsafe extern "system" fn PsGetProcessExitStatus(process: Object) -> NTSTATUS {
    // SAFETY: the caller's promise.
    let handle = unsafe { Handle::open(process, PROCESS_QUERY_INFORMATION) };
    handle
        .as_ref()
        .and_then(basic)
        .map_or(STATUS_UNSUCCESSFUL, |basic| basic.ExitStatus)
}

/// Page "PsGetThreadExitStatus".
///
/// # Safety
/// A thread that somebody holds.
#[unsafe(no_mangle)]
unsafe extern "system" fn PsGetThreadExitStatus(thread: Object) -> NTSTATUS {
    // SAFETY: the caller's promise.
    let handle = unsafe { Handle::open(thread, THREAD_QUERY_INFORMATION) };
    let basic = handle.and_then(|handle| handle.thread::<ThreadBasic>(ThreadBasicInformation));
    basic.map_or(STATUS_UNSUCCESSFUL, |basic| basic.exit_status)
}

/// Page "SeLocateProcessImageName": a string in one block, which the caller frees.
///
/// # Safety
/// A process that somebody holds, and a place for the answer.
#[unsafe(no_mangle)]
unsafe extern "system" fn SeLocateProcessImageName(
    process: Object,
    name: *mut *mut UNICODE_STRING,
) -> NTSTATUS {
    // SAFETY: the caller's promise.
    let Some(path) = (unsafe { image_path(process) }) else {
        return STATUS_UNSUCCESSFUL;
    };
    let bytes = size_of_val(path.as_slice());
    let block = ExAllocatePool2(0, size_of::<UNICODE_STRING>() + bytes, 0);
    let string = block.cast::<UNICODE_STRING>();
    if string.is_null() {
        return STATUS_NO_MEMORY;
    }
    let text = string.wrapping_add(1).cast::<u16>();
    // SAFETY: room for the string and so many units behind it, and nobody else's.
    unsafe { ptr::copy_nonoverlapping(path.as_ptr(), text, path.len()) };
    // SAFETY: as above.
    unsafe { string.write(counted(text, path.len())) };
    // SAFETY: the caller's promise.
    unsafe { name.write(string) };
    STATUS_SUCCESS
}

/// A string of so many units.
pub(super) fn counted(text: *mut u16, units: usize) -> UNICODE_STRING {
    let bytes = (units * size_of::<u16>()) as u16;
    UNICODE_STRING {
        Length: bytes,
        MaximumLength: bytes,
        Buffer: text,
    }
}

/// The image's NT path, once Wine has it.
///
/// # Safety
/// A process that somebody holds.
pub(super) unsafe fn image_path(process: Object) -> Option<Vec<u16>> {
    // SAFETY: the caller's promise.
    let handle = unsafe { Handle::open(process, PROCESS_QUERY_INFORMATION) }?;
    let mut answer = vec![0u64; ROOM / 8];
    let mut length = 0;
    // SAFETY: a handle, and a buffer of this size.
    let status = unsafe {
        NtQueryInformationProcess(
            handle.as_ptr(),
            ProcessImageFileName,
            answer.as_mut_ptr().cast(),
            ROOM as u32,
            &raw mut length,
        )
    };
    if status != STATUS_SUCCESS {
        return None;
    }
    // SAFETY: the answer begins with a string, whose text lies behind it.
    let string = unsafe { answer.as_ptr().cast::<UNICODE_STRING>().read() };
    if string.Length == 0 {
        return None;
    }
    // SAFETY: as above.
    let text = unsafe { core::slice::from_raw_parts(string.Buffer, string.Length as usize / 2) };
    Some(text.to_vec())
}

/// The command line, once the process has been given it.
///
/// # Safety
/// A process that somebody holds.
pub(super) unsafe fn command_line(process: Object) -> Option<Vec<u16>> {
    // SAFETY: the caller's promise.
    let handle = unsafe { Handle::open(process, PROCESS_QUERY_INFORMATION | PROCESS_VM_READ) }?;
    let peb = basic(&handle)?.PebBaseAddress as usize;
    let parameters = || {
        let words = read(&handle, peb + offset_of!(PEB, ProcessParameters), 1)?;
        words.first().copied()
    };
    let mut lies = parameters()?;
    loop {
        let command_line = command_line_at(&handle, lies);
        // N.B. A process moves them as it begins, and what was there reads as zeros.
        match parameters() {
            Some(moved) if moved != lies => lies = moved,
            _ => return command_line,
        }
    }
}

fn command_line_at(process: &Handle, parameters: usize) -> Option<Vec<u16>> {
    let string = parameters + offset_of!(RTL_USER_PROCESS_PARAMETERS, CommandLine);
    let [length, text] = read(process, string, 2)?[..] else {
        return None;
    };
    let length = length & 0xffff;
    let words = read(process, text, length.div_ceil(8))?;
    let units = words.iter().flat_map(|word| {
        let [a, b, c, d] = [0, 16, 32, 48].map(|shift| (word >> shift) as u16);
        [a, b, c, d]
    });
    Some(units.take(length / 2).collect())
}

fn basic(handle: &Handle) -> Option<PROCESS_BASIC_INFORMATION> {
    handle.process(ProcessBasicInformation)
}

/// Words of a process' memory, all of them or none.
fn read(process: &Handle, address: usize, count: usize) -> Option<Vec<usize>> {
    let mut words = vec![0; count];
    let mut done = 0;
    let wanted = size_of_val(words.as_slice());
    // SAFETY: a handle that may, any address, and a buffer of this size.
    let ok = unsafe {
        ReadProcessMemory(
            process.as_ptr(),
            address as *const c_void,
            words.as_mut_ptr().cast(),
            wanted,
            &raw mut done,
        )
    };
    (ok != 0 && done == wanted && wanted > 0).then_some(words)
}
