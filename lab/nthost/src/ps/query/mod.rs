//! What drivers ask about processes and threads.

pub(crate) mod current;
pub(crate) mod process;
pub(crate) mod thread;

use windows_sys::Win32::Foundation::{
    NTSTATUS, STATUS_INFO_LENGTH_MISMATCH, STATUS_SUCCESS, STATUS_UNSUCCESSFUL,
};

/// Answers a query whose answer is a number of `size` bytes, at most 8; `None` is what nobody can
/// tell.
///
/// # Safety
/// There is room for `len` bytes at `information`, and `needed` is null or a place for a length.
unsafe fn answer(
    value: Option<u64>,
    size: usize,
    information: *mut u8,
    len: u32,
    needed: *mut u32,
) -> NTSTATUS {
    if !needed.is_null() {
        // SAFETY: not null, so a place for a length.
        unsafe { needed.write(size as u32) };
    }
    if len as usize != size {
        return STATUS_INFO_LENGTH_MISMATCH;
    }
    let Some(value) = value else {
        return STATUS_UNSUCCESSFUL;
    };
    // SAFETY: there is room for `len` bytes, and `size` is that and at most 8.
    unsafe { information.copy_from_nonoverlapping(value.to_le_bytes().as_ptr(), size) };
    STATUS_SUCCESS
}
