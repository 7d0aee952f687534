//! Critical regions (page "KeEnterCriticalRegion").

use core::marker::PhantomData;
use wdk_sys::ntddk::{KeEnterCriticalRegion, KeLeaveCriticalRegion};

/// As long as this lives, the thread gets no normal kernel APCs, and so cannot be suspended.
#[must_use]
pub(crate) struct CriticalRegion {
    /// It belongs to the thread that entered.
    not_send: PhantomData<*const ()>,
}

impl CriticalRegion {
    /// IRQL ≤ APC_LEVEL.
    #[inline]
    pub(crate) fn enter() -> Self {
        // SAFETY: IRQL ≤ APC_LEVEL, as everywhere in this driver; `drop` leaves again.
        unsafe { KeEnterCriticalRegion() };
        Self {
            not_send: PhantomData,
        }
    }
}

impl Drop for CriticalRegion {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: this thread entered, as `Self` cannot go to another one.
        unsafe { KeLeaveCriticalRegion() };
    }
}
