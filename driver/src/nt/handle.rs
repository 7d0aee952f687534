//! Kernel handles, and what can be asked of any of them.

use crate::nt::check;
use core::ptr;
use wdk_sys::ntddk::{ObOpenObjectByPointer, ZwClose};
use wdk_sys::{_MODE, HANDLE, KPROCESSOR_MODE, NTSTATUS, OBJ_KERNEL_HANDLE, PULONG, PVOID, ULONG};

/// `ZwQueryInformationProcess` and `ZwQueryInformationThread`.
pub(super) type Query = unsafe extern "C" fn(HANDLE, i32, PVOID, ULONG, PULONG) -> NTSTATUS;

/// Closed when dropped.
pub(super) struct Handle(HANDLE);

impl Handle {
    /// Page "ObOpenObjectByPointer". IRQL = PASSIVE_LEVEL.
    ///
    /// # Safety
    /// `object` is an object, held during the call, and `access` suits its type.
    pub(super) unsafe fn open(object: PVOID, access: u32) -> Option<Self> {
        let mut handle = ptr::null_mut();
        // SAFETY: as the caller promises; for kernel mode the type need not be named.
        let status = unsafe {
            ObOpenObjectByPointer(
                object,
                OBJ_KERNEL_HANDLE,
                ptr::null_mut(),
                access,
                ptr::null_mut(),
                _MODE::KernelMode as KPROCESSOR_MODE,
                &raw mut handle,
            )
        };
        check(status).ok()?;
        Some(Self(handle))
    }

    /// # Safety
    /// A kernel handle that is the caller's to close.
    pub(super) unsafe fn new(handle: HANDLE) -> Self {
        Self(handle)
    }

    pub(super) const fn as_ptr(&self) -> HANDLE {
        self.0
    }

    /// IRQL = PASSIVE_LEVEL.
    ///
    /// # Safety
    /// `query` is for handles of this type.
    pub(super) unsafe fn query<T: Number>(&self, query: Query, class: i32) -> Option<T> {
        let mut value = T::default();
        // SAFETY: our handle, of the type that the caller promises; `value` is ours to write, of
        // the size given, and any bits are valid.
        let status = unsafe {
            query(
                self.0,
                class,
                (&raw mut value).cast(),
                size_of::<T>() as ULONG,
                ptr::null_mut(),
            )
        };
        check(status).ok().map(|()| value)
    }
}

impl Drop for Handle {
    /// IRQL = PASSIVE_LEVEL.
    fn drop(&mut self) {
        // SAFETY: a kernel handle that this value owns.
        let status = unsafe { ZwClose(self.0) };
        debug_assert!(check(status).is_ok());
    }
}

/// Plain numbers: every bit pattern is one.
pub(super) trait Number: Default {}
impl Number for u8 {}
impl Number for u32 {}
impl Number for u64 {}
