//! Fast mutexes and push locks.
//!
//! Both are one word in the driver's memory and are modelled as a reader-writer lock that waits
//! by yielding: their holders leave soon. A fast mutex is a push lock only ever held exclusively.

use std::ffi::c_void;
use std::sync::atomic::{AtomicI32, AtomicIsize, Ordering};
use std::{ptr, thread};

use windows_sys::Wdk::Foundation::FAST_MUTEX;

use crate::Current;
use crate::exports::exports;
use crate::ke::{APC_LEVEL, bug_check};

exports! {
    HIGH_LEVEL: ExInitializePushLock;
    APC_LEVEL: ExAcquireFastMutex, ExReleaseFastMutex, ExAcquirePushLockExclusiveEx,
        ExAcquirePushLockSharedEx, ExReleasePushLockExclusiveEx, ExReleasePushLockSharedEx;
}

/// 0 when free, -1 when held exclusively, else the number of readers.
struct PushLock<'a>(&'a AtomicIsize);

impl PushLock<'_> {
    /// # Safety
    /// `lock` points to an initialised push lock that outlives the result.
    unsafe fn at<'a>(lock: *mut isize) -> PushLock<'a> {
        // SAFETY: the caller's promise; an atomic has the layout of its integer.
        PushLock(unsafe { AtomicIsize::from_ptr(lock) })
    }

    fn acquire_exclusive(&self) {
        while self
            .0
            .compare_exchange_weak(0, -1, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
        {
            thread::yield_now();
        }
    }

    fn acquire_shared(&self) {
        let reader = |readers: isize| (readers >= 0).then_some(readers + 1);
        while self
            .0
            .fetch_update(Ordering::Acquire, Ordering::Relaxed, reader)
            .is_err()
        {
            thread::yield_now();
        }
    }

    fn release_exclusive(&self) {
        if self.0.swap(0, Ordering::Release) != -1 {
            bug_check!(
                DRIVER_VERIFIER_DETECTED_VIOLATION,
                "a push lock is released that nobody holds exclusively"
            );
        }
    }

    fn release_shared(&self) {
        if self.0.fetch_sub(1, Ordering::Release) < 1 {
            bug_check!(
                DRIVER_VERIFIER_DETECTED_VIOLATION,
                "a push lock is released that nobody shares"
            );
        }
    }
}

/// # Safety
/// `mutex` points to an initialised mutex that outlives the result.
unsafe fn count_of<'a>(mutex: *mut FAST_MUTEX) -> &'a AtomicI32 {
    // SAFETY: the caller's promise.
    let count = unsafe { &raw mut (*mutex).Count };
    // SAFETY: an aligned integer that everybody uses atomically.
    unsafe { AtomicI32::from_ptr(count) }
}

/// IRQL ≤ APC_LEVEL. Raises to APC_LEVEL.
unsafe extern "win64" fn ExAcquireFastMutex(mutex: *mut FAST_MUTEX) {
    let (irql, owner) = Current::with(|current| {
        (
            current.thread.ke.set_irql(APC_LEVEL),
            current.thread.as_ptr(),
        )
    });
    // N.B. `ExInitializeFastMutex` is a macro in the headers: a free mutex counts 1.
    // SAFETY: the driver passes an initialised mutex.
    let count = unsafe { count_of(mutex) };
    while count
        .compare_exchange_weak(1, 0, Ordering::Acquire, Ordering::Relaxed)
        .is_err()
    {
        thread::yield_now();
    }
    // SAFETY: held, so nobody else writes here.
    unsafe { (*mutex).Owner = owner.cast::<c_void>() };
    // SAFETY: as above.
    unsafe { (*mutex).OldIrql = u32::from(irql) };
}

/// IRQL = APC_LEVEL. Back to the IRQL before the acquire.
unsafe extern "win64" fn ExReleaseFastMutex(mutex: *mut FAST_MUTEX) {
    let me = Current::with(|current| current.thread.as_ptr());
    // SAFETY: the driver passes a mutex it holds.
    let owner = unsafe { (*mutex).Owner };
    // SAFETY: as above.
    let irql = unsafe { (*mutex).OldIrql };
    if owner != me.cast() {
        bug_check!(
            DRIVER_VERIFIER_DETECTED_VIOLATION,
            "a fast mutex is released by a thread that does not hold it"
        );
    }
    // SAFETY: still held by this thread.
    unsafe { (*mutex).Owner = ptr::null_mut() };
    // SAFETY: as above.
    let count = unsafe { count_of(mutex) };
    count.store(1, Ordering::Release);
    Current::with(|current| current.thread.ke.set_irql(irql as u8));
}

/// Any IRQL.
unsafe extern "win64" fn ExInitializePushLock(lock: *mut isize) {
    // SAFETY: the driver passes storage for a lock.
    unsafe { lock.write(0) };
}

/// IRQL ≤ APC_LEVEL, in a critical region.
unsafe extern "win64" fn ExAcquirePushLockExclusiveEx(lock: *mut isize, _flags: u32) {
    // SAFETY: the driver passes an initialised lock.
    unsafe { PushLock::at(lock) }.acquire_exclusive();
}

/// IRQL ≤ APC_LEVEL, in a critical region.
unsafe extern "win64" fn ExAcquirePushLockSharedEx(lock: *mut isize, _flags: u32) {
    // SAFETY: the driver passes an initialised lock.
    unsafe { PushLock::at(lock) }.acquire_shared();
}

/// IRQL ≤ APC_LEVEL, in a critical region.
unsafe extern "win64" fn ExReleasePushLockExclusiveEx(lock: *mut isize, _flags: u32) {
    // SAFETY: the driver passes a lock it holds.
    unsafe { PushLock::at(lock) }.release_exclusive();
}

/// IRQL ≤ APC_LEVEL, in a critical region.
unsafe extern "win64" fn ExReleasePushLockSharedEx(lock: *mut isize, _flags: u32) {
    // SAFETY: the driver passes a lock it holds.
    unsafe { PushLock::at(lock) }.release_shared();
}
