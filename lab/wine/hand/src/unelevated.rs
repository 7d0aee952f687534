//! A program that its user did not run as administrator.

use crate::succeeded;
use std::ffi::c_void;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr::{from_mut, null, null_mut};
use std::{io, iter};
use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::Security::{
    DuplicateTokenEx, GetTokenInformation, SecurityAnonymous, TOKEN_ALL_ACCESS, TOKEN_LINKED_TOKEN,
    TOKEN_QUERY, TokenLinkedToken, TokenPrimary,
};
use windows_sys::Win32::System::Threading::{
    CreateProcessAsUserW, GetCurrentProcess, GetExitCodeProcess, INFINITE, OpenProcessToken,
    PROCESS_INFORMATION, STARTUPINFOW, WaitForSingleObject,
};

/// Runs it, and waits for its end. Returns the program's exit code. No word may have a quote.
pub(crate) fn run(words: &[&str]) -> io::Result<i32> {
    let token = limited()?;
    let line = words.iter().map(|word| format!("\"{word}\""));
    let line = line.collect::<Vec<_>>().join(" ");
    let mut line: Vec<u16> = line.encode_utf16().chain(iter::once(0)).collect();
    let startup = STARTUPINFOW {
        cb: size_of::<STARTUPINFOW>() as u32,
        ..Default::default()
    };
    let mut process = PROCESS_INFORMATION::default();
    // SAFETY: a token that is open, a command line of its own that ends with a NUL, and structures of
    // these types.
    succeeded(unsafe {
        CreateProcessAsUserW(
            token.as_raw_handle(),
            null(),
            line.as_mut_ptr(),
            null(),
            null(),
            1,
            0,
            null(),
            null(),
            &raw const startup,
            &raw mut process,
        )
    })?;
    // SAFETY: it was opened just now, and nobody else knows it.
    let _thread = unsafe { owned(process.hThread) };
    // SAFETY: as above.
    let process = unsafe { owned(process.hProcess) };
    // SAFETY: it is open.
    unsafe { WaitForSingleObject(process.as_raw_handle(), INFINITE) };
    let mut code = 0;
    // SAFETY: it is open, and the place lives.
    succeeded(unsafe { GetExitCodeProcess(process.as_raw_handle(), &raw mut code) })?;
    Ok(code.cast_signed())
}

/// What the user's other programs have: this one's is an administrator's, to which that is linked.
fn limited() -> io::Result<OwnedHandle> {
    // SAFETY: it wants nothing.
    let process = unsafe { GetCurrentProcess() };
    let mut own = null_mut();
    // SAFETY: a pseudo handle, which is always valid, and a place that lives.
    succeeded(unsafe { OpenProcessToken(process, TOKEN_QUERY, &raw mut own) })?;
    // SAFETY: it was opened just now, and nobody else knows it.
    let own = unsafe { owned(own) };
    let mut linked = TOKEN_LINKED_TOKEN::default();
    let (size, mut written) = (size_of::<TOKEN_LINKED_TOKEN>() as u32, 0);
    // SAFETY: the class wants this structure, and it is told its size.
    succeeded(unsafe {
        GetTokenInformation(
            own.as_raw_handle(),
            TokenLinkedToken,
            from_mut(&mut linked).cast::<c_void>(),
            size,
            &raw mut written,
        )
    })?;
    // SAFETY: as above.
    let linked = unsafe { owned(linked.LinkedToken) };
    let mut primary = null_mut();
    // SAFETY: a token that is open, no attributes, and a place that lives.
    succeeded(unsafe {
        DuplicateTokenEx(
            linked.as_raw_handle(),
            TOKEN_ALL_ACCESS,
            null(),
            SecurityAnonymous,
            TokenPrimary,
            &raw mut primary,
        )
    })?;
    // SAFETY: as above.
    Ok(unsafe { owned(primary) })
}

/// # Safety
/// It is open, and nobody else closes it.
unsafe fn owned(handle: HANDLE) -> OwnedHandle {
    // SAFETY: the caller's promise.
    unsafe { OwnedHandle::from_raw_handle(handle) }
}
