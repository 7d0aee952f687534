//! What only a handle to a process tells.

use crate::nt::check;
use crate::nt::handle::{Handle, Number};
use crate::nt::process::Process;
use core::ptr;
use wdk_sys::ntddk::{ZwOpenProcessTokenEx, ZwQueryInformationToken};
use wdk_sys::{
    _TOKEN_INFORMATION_CLASS, HANDLE, NTSTATUS, OBJ_KERNEL_HANDLE, PULONG, PVOID, ULONG,
};

// N.B. Documented, and exported, but not declared in every WDK (page "ZwQueryInformationProcess").
unsafe extern "C" {
    fn ZwQueryInformationProcess(
        process_handle: HANDLE,
        process_information_class: i32,
        process_information: PVOID,
        process_information_length: ULONG,
        return_length: PULONG,
    ) -> NTSTATUS;
}

/// Values of `PROCESSINFOCLASS`, and what each answers with.
mod class {
    /// A pointer, not null for a process under WOW64.
    pub(super) const WOW64: i32 = 26;
    /// `PS_PROTECTION`, one byte.
    pub(super) const PROTECTION: i32 = 61;
    /// `SUBSYSTEM_INFORMATION_TYPE`.
    pub(super) const SUBSYSTEM: i32 = 75;
}

const PROCESS_QUERY_LIMITED_INFORMATION: u32 = 0x1000;
const TOKEN_QUERY: u32 = 0x0008;

/// A kernel handle to a process.
pub(crate) struct ProcessHandle(Handle);

impl ProcessHandle {
    /// IRQL = PASSIVE_LEVEL.
    pub(crate) fn open(process: Process<'_>) -> Option<Self> {
        let object = process.as_ptr().cast();
        // SAFETY: a process, held, and a right to processes.
        unsafe { Handle::open(object, PROCESS_QUERY_LIMITED_INFORMATION) }.map(Self)
    }

    /// A 32-bit process on 64-bit Windows? IRQL = PASSIVE_LEVEL.
    pub(crate) fn wow64(&self) -> Option<bool> {
        self.query::<u64>(class::WOW64).map(|peb32| peb32 != 0)
    }

    /// IRQL = PASSIVE_LEVEL.
    pub(crate) fn protection(&self) -> Option<u8> {
        self.query(class::PROTECTION)
    }

    /// Page "SUBSYSTEM_INFORMATION_TYPE". IRQL = PASSIVE_LEVEL.
    pub(crate) fn subsystem(&self) -> Option<u32> {
        self.query(class::SUBSYSTEM)
    }

    fn query<T: Number>(&self, class: i32) -> Option<T> {
        // SAFETY: a handle to a process.
        unsafe { self.0.query(ZwQueryInformationProcess, class) }
    }

    /// Is the primary token elevated? N.B. Not documented for `SeQueryInformationToken`, so by
    /// handle. IRQL = PASSIVE_LEVEL.
    pub(crate) fn elevated(&self) -> Option<bool> {
        let mut token = ptr::null_mut();
        // SAFETY: our handle; `token` is ours to write.
        let status = unsafe {
            ZwOpenProcessTokenEx(
                self.0.as_ptr(),
                TOKEN_QUERY,
                OBJ_KERNEL_HANDLE,
                &raw mut token,
            )
        };
        check(status).ok()?;
        // SAFETY: just opened for us.
        let token = unsafe { Handle::new(token) };
        let mut elevation: ULONG = 0;
        let mut length = 0;
        // SAFETY: our handle; `TOKEN_ELEVATION` is one DWORD, and both places are ours to write.
        let status = unsafe {
            ZwQueryInformationToken(
                token.as_ptr(),
                _TOKEN_INFORMATION_CLASS::TokenElevation,
                (&raw mut elevation).cast(),
                size_of::<ULONG>() as ULONG,
                &raw mut length,
            )
        };
        check(status).ok().map(|()| elevation != 0)
    }
}
