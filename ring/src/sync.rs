//! The atomics of `core`, or their models when loom checks the ordering.

#[cfg(not(loom))]
pub(crate) use core::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};

/// Stores `value`, and reads `other` in an order that the whole program agrees on: whoever writes
/// `other`, fences and reads `word` misses this store only if this read sees that write.
///
/// An exchange and a load, both sequentially consistent, are to the memory model what store, full
/// fence and load are, and cheaper: on x86-64 the exchange costs half of an `mfence`. loom knows
/// only the fence.
#[inline]
pub(crate) fn store_then_load(word: &AtomicU64, value: u64, other: &AtomicU64) -> u64 {
    #[cfg(not(loom))]
    {
        word.swap(value, Ordering::SeqCst);
        other.load(Ordering::SeqCst)
    }
    #[cfg(loom)]
    {
        word.store(value, Ordering::Release);
        fence(Ordering::SeqCst);
        other.load(Ordering::Relaxed)
    }
}
