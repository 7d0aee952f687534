//! Push locks (page "ExAcquirePushLockExclusive").

use crate::nt::critical_region::CriticalRegion;
use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use wdk_sys::EX_PUSH_LOCK;
use wdk_sys::ntddk::{ExAcquirePushLockExclusiveEx, ExReleasePushLockExclusiveEx};

/// `EX_DEFAULT_PUSH_LOCK_FLAGS`.
const DEFAULT_FLAGS: u32 = 0;

/// A value that one thread at a time has. Not recursive.
pub(crate) struct PushLock<T> {
    lock: UnsafeCell<EX_PUSH_LOCK>,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached through the lock alone, one thread at a time.
unsafe impl<T: Send> Sync for PushLock<T> {}

impl<T> PushLock<T> {
    /// N.B. All that `ExInitializePushLock` does is to set it to 0.
    pub(crate) const fn new(value: T) -> Self {
        Self {
            lock: UnsafeCell::new(0),
            value: UnsafeCell::new(value),
        }
    }

    /// Waits until nobody else has the value. IRQL ≤ APC_LEVEL.
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        let region = CriticalRegion::enter();
        // SAFETY: initialised, in memory that stays (`&self` outlives the guard), and normal
        // kernel APCs are off.
        unsafe { ExAcquirePushLockExclusiveEx(self.lock.get(), DEFAULT_FLAGS) };
        Guard { of: self, region }
    }
}

/// The right to the value, until it is dropped.
#[must_use]
pub(crate) struct Guard<'a, T> {
    of: &'a PushLock<T>,
    /// Left after the lock is released, as fields are dropped last.
    #[expect(dead_code, reason = "held for its drop")]
    region: CriticalRegion,
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: this thread has the lock.
        unsafe { &*self.of.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this thread has the lock, and `&mut self` is the only way through it.
        unsafe { &mut *self.of.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        // SAFETY: this thread acquired it, exclusively.
        unsafe { ExReleasePushLockExclusiveEx(self.of.lock.get(), DEFAULT_FLAGS) };
    }
}
