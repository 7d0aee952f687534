//! Rundown protection: a count of users that an owner can wait out.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::exports::exports;
use crate::ke::bug_check;

exports! {
    HIGH_LEVEL: ExInitializeRundownProtection;
    DISPATCH_LEVEL: ExAcquireRundownProtection, ExReleaseRundownProtection;
    APC_LEVEL: ExWaitForRundownProtectionRelease;
}

/// Set once rundown has begun. Users count in steps of two above it, as in Windows.
const ACTIVE: usize = 1;
const USER: usize = 2;

/// # Safety
/// `rundown` points to an initialised `EX_RUNDOWN_REF` that outlives the result.
unsafe fn at<'a>(rundown: *mut usize) -> &'a AtomicUsize {
    // SAFETY: the caller's promise; an atomic has the layout of its integer.
    unsafe { AtomicUsize::from_ptr(rundown) }
}

/// Any IRQL.
unsafe extern "win64" fn ExInitializeRundownProtection(rundown: *mut usize) {
    // SAFETY: the driver passes storage for a reference.
    unsafe { rundown.write(0) };
}

/// IRQL ≤ DISPATCH_LEVEL. FALSE once rundown has begun.
unsafe extern "win64" fn ExAcquireRundownProtection(rundown: *mut usize) -> u8 {
    let enter = |users: usize| (users & ACTIVE == 0).then_some(users + USER);
    // SAFETY: the driver passes an initialised reference.
    let entered = unsafe { at(rundown) }.fetch_update(Ordering::Acquire, Ordering::Relaxed, enter);
    u8::from(entered.is_ok())
}

/// IRQL ≤ DISPATCH_LEVEL.
unsafe extern "win64" fn ExReleaseRundownProtection(rundown: *mut usize) {
    // SAFETY: the driver passes an initialised reference.
    if unsafe { at(rundown) }.fetch_sub(USER, Ordering::Release) < USER {
        bug_check!(
            DRIVER_VERIFIER_DETECTED_VIOLATION,
            "rundown protection is released by more than acquired it"
        );
    }
}

/// IRQL ≤ APC_LEVEL. Returns when the last user is gone; none can come any more.
unsafe extern "win64" fn ExWaitForRundownProtectionRelease(rundown: *mut usize) {
    // SAFETY: the driver passes an initialised reference.
    let rundown = unsafe { at(rundown) };
    rundown.fetch_or(ACTIVE, Ordering::AcqRel);
    while rundown.load(Ordering::Acquire) != ACTIVE {
        thread::yield_now();
    }
}
