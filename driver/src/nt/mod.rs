//! The kernel's functions, safe to call at the IRQL that each names. Names follow the DDI's.

pub(crate) mod critical_region;
pub(crate) mod debug;
pub(crate) mod once;
pub(crate) mod pool;
pub(crate) mod process;
pub(crate) mod process_handle;
pub(crate) mod process_notify;
pub(crate) mod push_lock;
pub(crate) mod time;
pub(crate) mod token;
pub(crate) mod unicode_string;

use wdk::nt_success;
use wdk_sys::NTSTATUS;

/// The status as a result.
pub(crate) fn check(status: NTSTATUS) -> Result<(), NTSTATUS> {
    if nt_success(status) {
        Ok(())
    } else {
        Err(status)
    }
}
