//! Privileges of this process' own token.

use super::device::{last_fault, wide};
use crate::transport::Fault;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr::{null, null_mut};
use windows_sys::Win32::Foundation::{ERROR_SUCCESS, GetLastError, LUID};
use windows_sys::Win32::Security::{
    AdjustTokenPrivileges, LUID_AND_ATTRIBUTES, LookupPrivilegeValueW, SE_PRIVILEGE_ENABLED,
    TOKEN_ADJUST_PRIVILEGES, TOKEN_PRIVILEGES,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

/// Enables a privilege, such as `SeDebugPrivilege` (page "Enabling and Disabling Privileges in
/// C++").
pub(super) fn enable(name: &str) -> Result<(), Fault> {
    let name = wide(name);
    let mut luid = LUID::default();
    // SAFETY: `name` ends with a NUL, and `luid` is ours to write; the machine's name may be null.
    if unsafe { LookupPrivilegeValueW(null(), name.as_ptr(), &raw mut luid) } == 0 {
        return Err(last_fault());
    }
    let wanted = TOKEN_PRIVILEGES {
        PrivilegeCount: 1,
        Privileges: [LUID_AND_ATTRIBUTES {
            Luid: luid,
            Attributes: SE_PRIVILEGE_ENABLED,
        }],
    };
    let token = own_token()?;
    // SAFETY: a live handle with the right for it, and a `wanted` of the one privilege that it
    // counts; nobody asks for the previous state.
    let adjusted = unsafe {
        AdjustTokenPrivileges(
            token.as_raw_handle(),
            0,
            &raw const wanted,
            0,
            null_mut(),
            null_mut(),
        )
    };
    // N.B. it succeeds even if the token has no such privilege: the last error says so then.
    // SAFETY: takes nothing.
    if adjusted == 0 || unsafe { GetLastError() } != ERROR_SUCCESS {
        return Err(last_fault());
    }
    Ok(())
}

fn own_token() -> Result<OwnedHandle, Fault> {
    let mut token = null_mut();
    // SAFETY: takes nothing, and gives a handle that need not be closed.
    let process = unsafe { GetCurrentProcess() };
    // SAFETY: a live process handle, and `token` is ours to write.
    let opened = unsafe { OpenProcessToken(process, TOKEN_ADJUST_PRIVILEGES, &raw mut token) };
    if opened == 0 {
        return Err(last_fault());
    }
    // SAFETY: a handle that was just opened and that nobody else has.
    Ok(unsafe { OwnedHandle::from_raw_handle(token) })
}
