//! Handles to processes and threads, as programs make and use them.

use super::{Process, Thread};
use crate::ob::callback::Operation;
use crate::ob::{AnyObject, ObjectRef, handle, security};
use crate::{Current, Kernel};
use std::sync::Arc;
use windows_sys::Win32::Foundation::{
    NTSTATUS, STATUS_ACCESS_DENIED, STATUS_OBJECT_TYPE_MISMATCH, STATUS_SUCCESS,
};
use windows_sys::Win32::System::Threading::PROCESS_TERMINATE;

/// What is asked of a handle to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    /// The rights wanted, none of them generic. Nothing but callbacks denies any.
    pub access: u32,
    /// Is it to be a handle of the system, rather than of the current process?
    pub kernel_handle: bool,
}

/// No access mask: it has reserved bits.
const SAME_ACCESS: u32 = u32::MAX;

impl Open {
    /// A handle of the current process with these rights.
    pub fn access(access: u32) -> Open {
        Open {
            access,
            kernel_handle: false,
        }
    }

    /// A duplicate with the rights of its source, as `DUPLICATE_SAME_ACCESS` asks for.
    pub fn same_access() -> Open {
        Open::access(SAME_ACCESS)
    }
}

/// All of these act as the current thread, in whose process their handles are.
impl Kernel {
    /// `NtOpenProcess`: makes a handle to a process, running or not.
    ///
    /// # Errors
    /// `STATUS_INSUFFICIENT_RESOURCES` when the handle table is full.
    pub fn open_process(
        self: &Arc<Self>,
        process: &ObjectRef<Process>,
        open: Open,
    ) -> Result<usize, NTSTATUS> {
        self.open(&process.clone().into_any(), open)
    }

    /// `NtOpenThread`: makes a handle to a thread, running or not.
    ///
    /// # Errors
    /// `STATUS_INSUFFICIENT_RESOURCES` when the handle table is full.
    pub fn open_thread(
        self: &Arc<Self>,
        thread: &ObjectRef<Thread>,
        open: Open,
    ) -> Result<usize, NTSTATUS> {
        self.open(&thread.clone().into_any(), open)
    }

    /// `NtDuplicateObject`: makes a handle of `to` that leads where `handle` of `from` does.
    ///
    /// # Errors
    /// `STATUS_INVALID_HANDLE` if `from` has no such handle, `STATUS_INSUFFICIENT_RESOURCES` when
    /// the handle table of `to` is full; `STATUS_ACCESS_DENIED` if more rights are wanted than
    /// the handle has, and the object denies them.
    pub fn duplicate_handle(
        self: &Arc<Self>,
        from: &ObjectRef<Process>,
        handle: usize,
        to: &ObjectRef<Process>,
        open: Open,
    ) -> Result<usize, NTSTATUS> {
        let (object, granted) = handle::held_by(self, from, handle)?;
        let original = match open.access {
            SAME_ACCESS => granted,
            access => match security::specific(&object, access) {
                fewer if fewer & !granted == 0 => fewer,
                more => {
                    let token = Current::with(|current| current.thread.effective_token());
                    security::check(&object, &token, more)?
                }
            },
        };
        let operation = Operation {
            object: &object,
            duplicate: Some((from, to)),
            kernel_handle: open.kernel_handle,
            original,
            by_driver: false,
        };
        handle::make(self, to, &operation)
    }

    /// `NtClose`. Returns its status.
    pub fn close_handle(self: &Arc<Self>, handle: usize) -> NTSTATUS {
        handle::close(self, &current_process(), handle)
    }

    /// The rights of an open handle.
    pub fn granted(self: &Arc<Self>, handle: usize) -> Option<u32> {
        let held = handle::held_by(self, &current_process(), handle);
        held.ok().map(|(_, granted)| granted)
    }

    /// `NtTerminateProcess`: ends the process that the handle leads to. Returns its status,
    /// `STATUS_ACCESS_DENIED` if the handle lacks `PROCESS_TERMINATE`.
    pub fn terminate_process(self: &Arc<Self>, handle: usize, status: NTSTATUS) -> NTSTATUS {
        let (object, granted) = match handle::held_by(self, &current_process(), handle) {
            Ok(held) => held,
            Err(status) => return status,
        };
        let Ok(process) = object.downcast::<Process>() else {
            return STATUS_OBJECT_TYPE_MISMATCH;
        };
        if granted & PROCESS_TERMINATE == 0 {
            return STATUS_ACCESS_DENIED;
        }
        self.exit_process(&process, status);
        STATUS_SUCCESS
    }

    fn open(&self, object: &AnyObject, open: Open) -> Result<usize, NTSTATUS> {
        let operation = Operation {
            object,
            duplicate: None,
            kernel_handle: open.kernel_handle,
            original: open.access,
            by_driver: false,
        };
        handle::make(self, &current_process(), &operation)
    }
}

fn current_process() -> ObjectRef<Process> {
    Current::with(|current| current.thread.current_process())
}
