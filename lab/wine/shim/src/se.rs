//! Primary tokens: here a handle, in a box of its own, that stands for the object.

use crate::ex::ExAllocatePool2;
use crate::object::{Facts, Handle, Object};
use core::ffi::c_void;
use core::ptr;
use windows_sys::Wdk::Storage::FileSystem::NtQueryInformationToken;
use windows_sys::Wdk::System::SystemServices::ExFreePool;
use windows_sys::Win32::Foundation::{
    LUID, NTSTATUS, STATUS_INVALID_HANDLE, STATUS_INVALID_INFO_CLASS, STATUS_NO_MEMORY,
    STATUS_SUCCESS,
};
use windows_sys::Win32::Security::{
    TOKEN_INFORMATION_CLASS, TOKEN_STATISTICS, TokenIntegrityLevel, TokenSessionId,
    TokenStatistics, TokenUser,
};
use windows_sys::Win32::System::Threading::PROCESS_QUERY_INFORMATION;

// SAFETY: numbers, one behind the other.
unsafe impl Facts for TOKEN_STATISTICS {}

const TAG: u32 = u32::from_le_bytes(*b"Shim");

/// Page "PsReferencePrimaryToken".
///
/// # Safety
/// A process that somebody holds.
#[unsafe(no_mangle)]
unsafe extern "system" fn PsReferencePrimaryToken(process: Object) -> *mut Handle {
    // SAFETY: the caller's promise.
    let process = unsafe { Handle::open(process, PROCESS_QUERY_INFORMATION) };
    let token = process.and_then(|process| process.token());
    token.map_or(ptr::null_mut(), |token| Box::into_raw(Box::new(token)))
}

/// Page "PsDereferencePrimaryToken".
///
/// # Safety
/// What [`PsReferencePrimaryToken`] returned, once.
#[unsafe(no_mangle)]
unsafe extern "system" fn PsDereferencePrimaryToken(token: *mut Handle) {
    // SAFETY: the caller's promise.
    drop(unsafe { Box::from_raw(token) });
}

/// Page "SeQueryAuthenticationIdToken".
///
/// # Safety
/// A token that is held, and a place for the answer.
#[unsafe(no_mangle)]
unsafe extern "system" fn SeQueryAuthenticationIdToken(
    token: *const Handle,
    logon: *mut LUID,
) -> NTSTATUS {
    // SAFETY: the caller's promise.
    let token = unsafe { &*token };
    let Some(statistics) = token.token_facts::<TOKEN_STATISTICS>(TokenStatistics) else {
        return STATUS_INVALID_HANDLE;
    };
    // SAFETY: the caller's promise.
    unsafe { logon.write(statistics.AuthenticationId) };
    STATUS_SUCCESS
}

/// A label, and behind it a SID of one part.
#[repr(C)]
struct Label {
    sid: usize,
    attributes: u32,
    _padding: u32,
    revision_and_authority: [u8; 8],
    rid: u32,
}

const _: () = assert!(size_of::<Label>() == 32);

// SAFETY: numbers, one behind the other.
unsafe impl Facts for Label {}
// SAFETY: a number.
unsafe impl Facts for u32 {}

/// Page "SeQueryInformationToken". Session and integrity come by value, the user in pool.
///
/// # Safety
/// A token that is held, and a place for the answer, of a pointer's size.
#[unsafe(no_mangle)]
unsafe extern "system" fn SeQueryInformationToken(
    token: *const Handle,
    class: TOKEN_INFORMATION_CLASS,
    answer: *mut *mut c_void,
) -> NTSTATUS {
    // SAFETY: the caller's promise.
    let token = unsafe { &*token };
    let number = match class {
        TokenUser => {
            let user = user(token);
            // SAFETY: the caller's promise.
            return user.map_or_else(|status| status, |user| unsafe { give(answer, user) });
        }
        TokenSessionId => token.token_facts::<u32>(class),
        TokenIntegrityLevel => token.token_facts::<Label>(class).map(|label| label.rid),
        _ => return STATUS_INVALID_INFO_CLASS,
    };
    let Some(number) = number else {
        return STATUS_INVALID_HANDLE;
    };
    // SAFETY: the caller's promise.
    unsafe { give(answer.cast(), number) }
}

/// # Safety
/// A place for it.
unsafe fn give<T>(place: *mut T, value: T) -> NTSTATUS {
    // SAFETY: the caller's promise.
    unsafe { place.write(value) };
    STATUS_SUCCESS
}

/// `TOKEN_USER` and the SID that it points to, in pool.
fn user(token: &Handle) -> Result<*mut c_void, NTSTATUS> {
    let mut length = 0;
    let query = |buffer: *mut c_void, room: u32, length: &mut u32| {
        // SAFETY: a token's handle, and a buffer with so much room.
        unsafe { NtQueryInformationToken(token.as_ptr(), TokenUser, buffer, room, length) }
    };
    query(ptr::null_mut(), 0, &mut length);
    let buffer = ExAllocatePool2(0, length as usize, TAG);
    if buffer.is_null() {
        return Err(STATUS_NO_MEMORY);
    }
    match query(buffer, length, &mut length) {
        STATUS_SUCCESS => Ok(buffer),
        status => {
            // SAFETY: just allocated, and nobody's.
            unsafe { ExFreePool(buffer) };
            Err(status)
        }
    }
}
