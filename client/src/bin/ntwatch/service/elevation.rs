//! Whether this process may do what takes an administrator.

use super::error::{Doing, ServiceError};
use std::ffi::c_void;
use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr::{from_mut, null_mut};
use windows_sys::Win32::Security::{
    GetTokenInformation, TOKEN_ELEVATION, TOKEN_QUERY, TokenElevation,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

/// Fails if it may not. Nothing is changed by asking.
pub(super) fn check(doing: Doing) -> Result<(), ServiceError> {
    match is_elevated() {
        Ok(true) => Ok(()),
        Ok(false) => Err(ServiceError::NotElevated(doing)),
        Err(error) => Err(ServiceError::windows(doing, error)),
    }
}

fn is_elevated() -> io::Result<bool> {
    // SAFETY: it wants nothing.
    let process = unsafe { GetCurrentProcess() };
    let mut token = null_mut();
    // SAFETY: a pseudo handle, which is always valid, and a place that lives.
    if unsafe { OpenProcessToken(process, TOKEN_QUERY, &raw mut token) } == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it was opened just now, and nobody else knows it.
    let token = unsafe { OwnedHandle::from_raw_handle(token) };
    let mut elevation = TOKEN_ELEVATION::default();
    let (size, mut written) = (size_of::<TOKEN_ELEVATION>() as u32, 0);
    // SAFETY: the class wants this structure, and it is told its size.
    let told = unsafe {
        GetTokenInformation(
            token.as_raw_handle(),
            TokenElevation,
            from_mut(&mut elevation).cast::<c_void>(),
            size,
            &raw mut written,
        )
    };
    match told {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(elevation.TokenIsElevated != 0),
    }
}
