//! Handles in the table of the process that asks.

use crate::nt::check;
use core::ffi::c_void;
use core::{mem, ptr};
use wdk_sys::ntddk::{ObCloseHandle, ObOpenObjectByPointer};
use wdk_sys::{_MODE, HANDLE, KPROCESSOR_MODE, NTSTATUS};

/// Closed when dropped, unless it is given to the process before.
#[must_use]
pub(crate) struct UserHandle(HANDLE);

impl UserHandle {
    /// A handle with just `access`, in the table of the process whose thread this is. Page
    /// "ObOpenObjectByPointer". IRQL = PASSIVE_LEVEL.
    ///
    /// N.B. The page asks for `OBJ_KERNEL_HANDLE` in such a thread, so that the process cannot use
    /// the handle. Here it is to.
    ///
    /// # Safety
    /// `object` is an object, held during the call, and `access` suits its type.
    pub(super) unsafe fn open(object: *mut c_void, access: u32) -> Result<Self, NTSTATUS> {
        const NO_ATTRIBUTES: u32 = 0;
        let mut handle = ptr::null_mut();
        // SAFETY: as the caller promises; for kernel mode, in whose name the access is not held
        // against the object's descriptor, the type need not be named.
        check(unsafe {
            ObOpenObjectByPointer(
                object,
                NO_ATTRIBUTES,
                ptr::null_mut(),
                access,
                ptr::null_mut(),
                _MODE::KernelMode as KPROCESSOR_MODE,
                &raw mut handle,
            )
        })?;
        Ok(Self(handle))
    }

    /// Leaves it to the process.
    pub(crate) fn give(self) -> u64 {
        let handle = self.0.addr() as u64;
        mem::forget(self);
        handle
    }
}

impl Drop for UserHandle {
    /// Page "ObCloseHandle". IRQL = PASSIVE_LEVEL, in the thread that opened it.
    fn drop(&mut self) {
        // N.B. In user mode's name, as the process may have closed it already: `ZwClose` of a
        // handle that is not there may stop the system.
        // SAFETY: takes any handle; one that is another's by now is one of the same process.
        let _ = unsafe { ObCloseHandle(self.0, _MODE::UserMode as KPROCESSOR_MODE) };
    }
}
