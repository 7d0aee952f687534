//! Rundown protection: a count of users that an owner can wait out.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::exports::exports;
use crate::ke::bug_check;

exports! {
    DISPATCH_LEVEL: ExAcquireRundownProtection, ExReleaseRundownProtection;
    APC_LEVEL: ExInitializeRundownProtection, ExWaitForRundownProtectionRelease;
}

/// Set once rundown has begun. Users count in steps of two above it, as in Windows.
const ACTIVE: usize = 1;
const USER: usize = 2;

/// `EX_RUNDOWN_REF`.
#[derive(Debug, Default)]
#[repr(transparent)]
pub(crate) struct Rundown(AtomicUsize);

/// A use of what [`Rundown`] protects. It ends when this is dropped.
pub(crate) struct Use<'a>(&'a Rundown);

impl Rundown {
    /// # Safety
    /// `rundown` points to an initialised `EX_RUNDOWN_REF` that outlives the result.
    unsafe fn at<'a>(rundown: *mut usize) -> &'a Rundown {
        // SAFETY: the caller's promise; the type has the layout of an atomic, and that of its
        // integer.
        unsafe { &*rundown.cast() }
    }

    /// A use, unless rundown has begun.
    pub(crate) fn enter(&self) -> Option<Use<'_>> {
        self.acquire().then(|| Use(self))
    }

    /// Returns when the last user is gone; none can come any more.
    pub(crate) fn wait(&self) {
        self.0.fetch_or(ACTIVE, Ordering::AcqRel);
        while self.0.load(Ordering::Acquire) != ACTIVE {
            thread::yield_now();
        }
    }

    fn acquire(&self) -> bool {
        let enter = |users: usize| (users & ACTIVE == 0).then_some(users + USER);
        let entered = self
            .0
            .fetch_update(Ordering::Acquire, Ordering::Relaxed, enter);
        entered.is_ok()
    }

    fn release(&self) {
        if self.0.fetch_sub(USER, Ordering::Release) < USER {
            bug_check!(
                DRIVER_VERIFIER_DETECTED_VIOLATION,
                "rundown protection is released by more than acquired it"
            );
        }
    }
}

impl Drop for Use<'_> {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// IRQL ≤ APC_LEVEL.
unsafe extern "win64" fn ExInitializeRundownProtection(rundown: *mut usize) {
    // SAFETY: the driver passes storage for a reference.
    unsafe { rundown.write(0) };
}

/// IRQL ≤ DISPATCH_LEVEL. FALSE once rundown has begun.
unsafe extern "win64" fn ExAcquireRundownProtection(rundown: *mut usize) -> u8 {
    // SAFETY: the driver passes an initialised reference.
    u8::from(unsafe { Rundown::at(rundown) }.acquire())
}

/// IRQL ≤ DISPATCH_LEVEL.
unsafe extern "win64" fn ExReleaseRundownProtection(rundown: *mut usize) {
    // SAFETY: the driver passes an initialised reference.
    unsafe { Rundown::at(rundown) }.release();
}

/// IRQL ≤ APC_LEVEL. Returns when the last user is gone; none can come any more.
unsafe extern "win64" fn ExWaitForRundownProtectionRelease(rundown: *mut usize) {
    // SAFETY: the driver passes an initialised reference.
    unsafe { Rundown::at(rundown) }.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "released by more than acquired it")]
    fn a_use_ends_once() {
        let rundown = Rundown::default();
        drop(rundown.enter());
        rundown.release();
    }

    #[test]
    #[should_panic(expected = "released by more than acquired it")]
    fn a_use_that_never_began_does_not_end_after_rundown() {
        let rundown = Rundown::default();
        rundown.wait();
        rundown.release();
    }
}
