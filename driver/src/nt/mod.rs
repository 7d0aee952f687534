//! The kernel's functions, safe to call at the IRQL that each names. Names follow the DDI's.

pub(crate) mod critical_region;
pub(crate) mod debug;
pub(crate) mod event;
mod handle;
pub(crate) mod image_notify;
pub(crate) mod object;
pub(crate) mod object_callbacks;
pub(crate) mod once;
pub(crate) mod pool;
pub(crate) mod privilege;
pub(crate) mod process;
pub(crate) mod process_handle;
pub(crate) mod process_notify;
pub(crate) mod push_lock;
pub(crate) mod section;
mod security_descriptor;
pub(crate) mod thread;
pub(crate) mod thread_handle;
pub(crate) mod thread_notify;
pub(crate) mod time;
pub(crate) mod token;
pub(crate) mod unicode_string;
pub(crate) mod user_handle;

use wdk::nt_success;
use wdk_sys::{HANDLE, NTSTATUS};

/// The status as a result.
pub(crate) fn check(status: NTSTATUS) -> Result<(), NTSTATUS> {
    if nt_success(status) {
        Ok(())
    } else {
        Err(status)
    }
}

/// Ids of processes and threads are numbers below 2^32 in the shape of handles.
pub(crate) fn id(handle: HANDLE) -> u32 {
    handle.addr() as u32
}

/// The other way round.
pub(crate) const fn id_handle(id: u32) -> HANDLE {
    core::ptr::without_provenance_mut(id as usize)
}
