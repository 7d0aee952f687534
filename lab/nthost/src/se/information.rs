//! What tokens tell: the `TOKEN_INFORMATION_CLASS` queries.

use super::{Sid, Token};
use crate::Current;
use crate::exports::exports;
use crate::ob::handle;
use crate::ps::Process;
use std::ffi::c_void;
use windows_sys::Win32::Foundation::{
    LUID, NTSTATUS, STATUS_BUFFER_TOO_SMALL, STATUS_INSUFFICIENT_RESOURCES,
    STATUS_INVALID_INFO_CLASS, STATUS_SUCCESS, STATUS_UNSUCCESSFUL,
};
use windows_sys::Win32::Security::{
    SID_AND_ATTRIBUTES, TOKEN_INFORMATION_CLASS, TOKEN_STATISTICS, TokenElevation,
    TokenIntegrityLevel, TokenSessionId, TokenStatistics, TokenUser,
};

exports! {
    PASSIVE_LEVEL: SeQueryAuthenticationIdToken, SeQueryInformationToken, SeQuerySessionIdToken,
        SeTokenIsAdmin, ZwOpenProcessTokenEx, ZwQueryInformationToken;
}

/// Whose the buffers are that `SeQueryInformationToken` hands out.
const POOL_TAG: u32 = u32::from_le_bytes(*b"SeTi");

/// What a source of activity could not tell is not to be had.
const UNKNOWN: NTSTATUS = STATUS_UNSUCCESSFUL;

/// An answer as it lies in the caller's buffer.
enum Answer {
    Bytes(Vec<u8>),
    /// A `SID_AND_ATTRIBUTES` and the SID that it points at.
    Sid(Sid),
}

impl Answer {
    fn number(number: u32) -> Answer {
        Answer::Bytes(number.to_le_bytes().into())
    }

    fn len(&self) -> usize {
        match self {
            Answer::Bytes(bytes) => bytes.len(),
            Answer::Sid(sid) => size_of::<SID_AND_ATTRIBUTES>() + sid.as_bytes().len(),
        }
    }

    /// Writes [`Self::len`] bytes.
    ///
    /// # Safety
    /// There is room for them at `to`, of whatever alignment.
    unsafe fn write(&self, to: *mut u8) {
        let (head, tail): (Vec<u8>, &[u8]) = match self {
            Answer::Bytes(bytes) => (bytes.clone(), &[]),
            Answer::Sid(sid) => {
                let address = to as usize + size_of::<SID_AND_ATTRIBUTES>();
                let mut head = address.to_le_bytes().to_vec();
                head.resize(size_of::<SID_AND_ATTRIBUTES>(), 0);
                (head, sid.as_bytes())
            }
        };
        let bytes = [&head, tail].concat();
        // SAFETY: the caller's promise; the source is a slice of its own.
        unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    }
}

impl Token {
    fn statistics(&self) -> Option<Answer> {
        let statistics = TOKEN_STATISTICS {
            AuthenticationId: luid(self.logon_id?),
            ..TOKEN_STATISTICS::default()
        };
        let bytes: [u8; size_of::<TOKEN_STATISTICS>()] =
            // SAFETY: plain numbers, all of them set by `default`; 56 bytes without padding.
            unsafe { std::mem::transmute(statistics) };
        Some(Answer::Bytes(bytes.into()))
    }
}

fn luid(value: u64) -> LUID {
    LUID {
        LowPart: value as u32,
        HighPart: (value >> 32) as i32,
    }
}

/// What both functions answer alike.
fn common(token: &Token, class: TOKEN_INFORMATION_CLASS) -> Result<Answer, NTSTATUS> {
    let answer = match class {
        TokenUser => token.user.clone().map(Answer::Sid),
        TokenStatistics => token.statistics(),
        _ => return Err(STATUS_INVALID_INFO_CLASS),
    };
    answer.ok_or(UNKNOWN)
}

/// IRQL = PASSIVE_LEVEL. The buffer is the driver's to free.
///
/// `TokenSessionId` and `TokenIntegrityLevel` come back in place of the pointer, as the page
/// says; elevation is not among its classes.
unsafe extern "win64" fn SeQueryInformationToken(
    token: *const Token,
    class: TOKEN_INFORMATION_CLASS,
    information: *mut *mut c_void,
) -> NTSTATUS {
    // SAFETY: the driver passes a token that it holds a reference to.
    let token = unsafe { &*token };
    let by_value = match class {
        TokenSessionId => Some(token.session),
        TokenIntegrityLevel => Some(token.integrity),
        _ => None,
    };
    if let Some(value) = by_value {
        let Some(value) = value else { return UNKNOWN };
        // SAFETY: the driver passes a place for a pointer, whose lower half is this DWORD.
        unsafe { information.cast::<u32>().write(value) };
        return STATUS_SUCCESS;
    }
    let answer = match common(token, class) {
        Ok(answer) => answer,
        Err(status) => return status,
    };
    let buffer = Current::with(|c| c.kernel.pool.allocate_paged(answer.len(), 16, POOL_TAG, 0));
    if buffer.is_null() {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    // SAFETY: allocated with this length.
    unsafe { answer.write(buffer.cast()) };
    // SAFETY: the driver passes a place for the pointer.
    unsafe { information.write(buffer) };
    STATUS_SUCCESS
}

/// IRQL = PASSIVE_LEVEL. Page "NtQueryInformationToken".
unsafe extern "win64" fn ZwQueryInformationToken(
    handle: usize,
    class: TOKEN_INFORMATION_CLASS,
    information: *mut u8,
    len: u32,
    needed: *mut u32,
) -> NTSTATUS {
    let token = match handle::typed_object_of::<Token>(handle) {
        Ok(token) => token,
        Err(status) => return status,
    };
    let answer = match class {
        TokenSessionId => token.session.map(Answer::number).ok_or(UNKNOWN),
        TokenElevation => {
            let elevated = token.elevated.map(u32::from);
            elevated.map(Answer::number).ok_or(UNKNOWN)
        }
        TokenIntegrityLevel => {
            let label = token.integrity.map(|rid| Sid::new(16, &[rid]));
            label.map(Answer::Sid).ok_or(UNKNOWN)
        }
        _ => common(&token, class),
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(status) => return status,
    };
    // SAFETY: the driver passes a place for the length.
    unsafe { needed.write(answer.len() as u32) };
    if answer.len() > len as usize {
        return STATUS_BUFFER_TOO_SMALL;
    }
    // SAFETY: the driver passes a buffer of `len` bytes, which are enough.
    unsafe { answer.write(information) };
    STATUS_SUCCESS
}

/// IRQL = PASSIVE_LEVEL. Page "NtOpenProcessTokenEx".
unsafe extern "win64" fn ZwOpenProcessTokenEx(
    process: usize,
    desired: u32,
    attributes: u32,
    token: *mut usize,
) -> NTSTATUS {
    let process = match handle::typed_object_of::<Process>(process) {
        Ok(process) => process,
        Err(status) => return status,
    };
    match handle::open(&process.token.clone().into_any(), attributes, desired) {
        Ok(value) => {
            // SAFETY: the driver passes a place for the handle.
            unsafe { token.write(value) };
            STATUS_SUCCESS
        }
        Err(status) => status,
    }
}

/// IRQL = PASSIVE_LEVEL.
unsafe extern "win64" fn SeQueryAuthenticationIdToken(
    token: *const Token,
    id: *mut LUID,
) -> NTSTATUS {
    // SAFETY: the driver passes a token that it holds a reference to.
    let Some(logon_id) = (unsafe { &*token }).logon_id else {
        return UNKNOWN;
    };
    // SAFETY: the driver passes a place for the id.
    unsafe { id.write(luid(logon_id)) };
    STATUS_SUCCESS
}

/// IRQL = PASSIVE_LEVEL.
unsafe extern "win64" fn SeQuerySessionIdToken(token: *const Token, id: *mut u32) -> NTSTATUS {
    // SAFETY: the driver passes a token that it holds a reference to.
    let Some(session) = (unsafe { &*token }).session else {
        return UNKNOWN;
    };
    // SAFETY: the driver passes a place for the id.
    unsafe { id.write(session) };
    STATUS_SUCCESS
}

/// IRQL = PASSIVE_LEVEL.
unsafe extern "win64" fn SeTokenIsAdmin(token: *const Token) -> u8 {
    // SAFETY: the driver passes a token that it holds a reference to.
    let token = unsafe { &*token };
    u8::from(token.has(&Token::administrators()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ob::ObjectRef;
    use crate::{Config, Kernel};
    use std::ptr;

    #[test]
    fn a_user_s_sid_comes_in_pool_and_points_into_its_own_block() {
        let kernel = Kernel::boot(Config::default());
        kernel.enter(&kernel.ps.system, || {
            let token = kernel.ps.system.token.as_ptr();
            let mut information: *mut c_void = ptr::null_mut();
            // SAFETY: the token is the System process', the pointer a local.
            let status = unsafe { SeQueryInformationToken(token, TokenUser, &raw mut information) };
            assert_eq!(status, STATUS_SUCCESS);
            let head: *const SID_AND_ATTRIBUTES = information.cast();
            // SAFETY: TokenUser begins with this structure.
            let sid: *const u8 = unsafe { (*head).Sid }.cast();
            // SAFETY: S-1-5-18 has 12 bytes.
            let sid = unsafe { std::slice::from_raw_parts(sid, 12) };
            assert_eq!(Sid::read(sid), "S-1-5-18".parse().ok());
            kernel.pool.free(information, POOL_TAG);
        });
    }

    #[test]
    fn what_nobody_could_tell_is_a_failure_and_not_a_zero() {
        let kernel = Kernel::boot(Config::default());
        let unknown = ObjectRef::new(&kernel.objects, Token::default());
        for class in [
            TokenUser,
            TokenSessionId,
            TokenIntegrityLevel,
            TokenStatistics,
        ] {
            let mut information: *mut c_void = ptr::null_mut();
            // SAFETY: the token is live, the pointer a local.
            let status =
                unsafe { SeQueryInformationToken(unknown.as_ptr(), class, &raw mut information) };
            assert_eq!((status, information), (UNKNOWN, ptr::null_mut()));
        }
        // SAFETY: as above.
        let status = unsafe {
            SeQueryInformationToken(unknown.as_ptr(), TokenElevation, &mut ptr::null_mut())
        };
        assert_eq!(status, STATUS_INVALID_INFO_CLASS);
    }
}
