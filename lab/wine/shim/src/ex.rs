//! The executive: pool and push locks.

use core::ffi::c_void;
use core::ptr;
use windows_sys::Wdk::Foundation::NonPagedPool;
use windows_sys::Wdk::System::SystemServices::ExAllocatePoolWithTag;
use windows_sys::Win32::System::Threading::{
    AcquireSRWLockExclusive, ReleaseSRWLockExclusive, SRWLOCK,
};

const POOL_FLAG_UNINITIALIZED: u64 = 0x2;

/// Page "ExAllocatePool2". Zeroed, unless that is not wanted; null for no bytes.
#[unsafe(no_mangle)]
pub(crate) extern "system" fn ExAllocatePool2(flags: u64, bytes: usize, tag: u32) -> *mut c_void {
    if bytes == 0 {
        return ptr::null_mut();
    }
    // SAFETY: takes any size.
    let block = unsafe { ExAllocatePoolWithTag(NonPagedPool, bytes, tag) };
    if !block.is_null() && flags & POOL_FLAG_UNINITIALIZED == 0 {
        // SAFETY: just allocated, of so many bytes.
        unsafe { block.cast::<u8>().write_bytes(0, bytes) };
    }
    block
}

// A push lock is a word that is 0 when nobody has it; so is a slim reader/writer lock.
const _: () = assert!(size_of::<SRWLOCK>() == size_of::<usize>());

/// Page "ExAcquirePushLockExclusive".
///
/// # Safety
/// A push lock that stays where it is.
#[unsafe(no_mangle)]
unsafe extern "system" fn ExAcquirePushLockExclusiveEx(lock: *mut usize, _: u32) {
    // SAFETY: the caller's promise.
    unsafe { AcquireSRWLockExclusive(lock.cast()) };
}

/// Page "ExReleasePushLockExclusive".
///
/// # Safety
/// A push lock that this thread has.
#[unsafe(no_mangle)]
unsafe extern "system" fn ExReleasePushLockExclusiveEx(lock: *mut usize, _: u32) {
    // SAFETY: the caller's promise.
    unsafe { ReleaseSRWLockExclusive(lock.cast()) };
}
