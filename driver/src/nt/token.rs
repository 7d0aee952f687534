//! The primary token of a process.

use crate::nt::check;
use crate::nt::pool::SystemBuffer;
use crate::nt::process::Process;
use core::ptr::{self, NonNull};
use wdk_sys::ntddk::{
    PsDereferencePrimaryToken, PsReferencePrimaryToken, RtlLengthSid, SeQueryAuthenticationIdToken,
    SeQueryInformationToken,
};
use wdk_sys::{_TOKEN_INFORMATION_CLASS, LUID, PVOID, TOKEN_USER};

/// Held until dropped.
pub(crate) struct PrimaryToken(NonNull<core::ffi::c_void>);

impl PrimaryToken {
    /// Page "PsReferencePrimaryToken". IRQL = PASSIVE_LEVEL.
    pub(crate) fn of(process: Process<'_>) -> Option<Self> {
        // SAFETY: a process object that is held.
        let token = unsafe { PsReferencePrimaryToken(process.as_ptr()) };
        NonNull::new(token).map(Self)
    }

    /// The user's SID, binary. IRQL = PASSIVE_LEVEL.
    pub(crate) fn user(&self) -> Option<SystemBuffer> {
        let allocation = self.query(_TOKEN_INFORMATION_CLASS::TokenUser)?;
        // SAFETY: for this class a TOKEN_USER in an allocation that is ours.
        let sid = unsafe { allocation.cast::<TOKEN_USER>().as_ref() }?
            .User
            .Sid;
        // SAFETY: the SID of a token is valid.
        let len = unsafe { RtlLengthSid(sid) };
        // SAFETY: the SID lies in the allocation, behind the structure that points to it.
        unsafe { SystemBuffer::new(allocation, sid.cast(), len as usize) }
    }

    /// RID of the integrity level. IRQL = PASSIVE_LEVEL.
    pub(crate) fn integrity(&self) -> Option<u32> {
        self.query_number(_TOKEN_INFORMATION_CLASS::TokenIntegrityLevel)
    }

    /// Terminal Services session. IRQL = PASSIVE_LEVEL.
    pub(crate) fn session_id(&self) -> Option<u32> {
        self.query_number(_TOKEN_INFORMATION_CLASS::TokenSessionId)
    }

    /// Page "SeQueryAuthenticationIdToken". IRQL = PASSIVE_LEVEL.
    pub(crate) fn logon_id(&self) -> Option<u64> {
        let mut luid = LUID::default();
        // SAFETY: our token; `luid` is ours to write.
        let status = unsafe { SeQueryAuthenticationIdToken(self.0.as_ptr(), &raw mut luid) };
        check(status).ok()?;
        Some(u64::from(luid.HighPart as u32) << 32 | u64::from(luid.LowPart))
    }

    /// Page "SeQueryInformationToken".
    fn query(&self, class: _TOKEN_INFORMATION_CLASS::Type) -> Option<PVOID> {
        let mut information = ptr::null_mut();
        // SAFETY: our token; `information` is ours to write.
        let status =
            unsafe { SeQueryInformationToken(self.0.as_ptr(), class, &raw mut information) };
        check(status).ok().map(|()| information)
    }

    /// N.B. These classes answer with the number itself in place of a pointer; freeing it would
    /// stop the system.
    fn query_number(&self, class: _TOKEN_INFORMATION_CLASS::Type) -> Option<u32> {
        self.query(class).map(|number| number.addr() as u32)
    }
}

impl Drop for PrimaryToken {
    /// IRQL = PASSIVE_LEVEL.
    fn drop(&mut self) {
        // SAFETY: `of` took the reference.
        unsafe { PsDereferencePrimaryToken(self.0.as_ptr()) };
    }
}
