//! A value that `DriverEntry` finds out and everyone else reads.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU8, Ordering};

const EMPTY: u8 = 0;
const BEING_SET: u8 = 1;
const SET: u8 = 2;

/// Set at most once.
pub(crate) struct Once<T> {
    state: AtomicU8,
    value: UnsafeCell<Option<T>>,
}

// SAFETY: the one thread that goes from EMPTY to BEING_SET writes the value, and it is shared from
// SET on.
unsafe impl<T: Send + Sync> Sync for Once<T> {}

impl<T> Once<T> {
    pub(crate) const fn new() -> Self {
        Self {
            state: AtomicU8::new(EMPTY),
            value: UnsafeCell::new(None),
        }
    }

    /// Sets the value, unless there is one.
    pub(crate) fn set(&self, value: T) {
        let claim =
            self.state
                .compare_exchange(EMPTY, BEING_SET, Ordering::Relaxed, Ordering::Relaxed);
        if claim.is_err() {
            return;
        }
        // SAFETY: nobody else writes, as the exchange succeeds once; nobody reads before SET.
        unsafe { *self.value.get() = Some(value) };
        // Release: the value. Pairs with the acquire in `get`.
        self.state.store(SET, Ordering::Release);
    }

    pub(crate) fn get(&self) -> Option<&T> {
        if self.state.load(Ordering::Acquire) != SET {
            return None;
        }
        // SAFETY: nobody writes after SET.
        unsafe { &*self.value.get() }.as_ref()
    }
}
