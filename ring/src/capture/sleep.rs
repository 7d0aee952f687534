//! Who runs the consumer: one word, and every way it changes.

use crate::line::Line;
use crate::sync::{AtomicU64, Ordering, fence, store_then_load};
use core::ops::RangeInclusive;

/// A kick or a call was made, and its run has not begun.
const CALLED: u64 = 1;
/// The consumer runs.
const RUNNING: u64 = 2;
/// The consumer runs and must look again before it sleeps.
const RECALLED: u64 = 3;
/// Beside a position: the consumer means to sleep there, and looks once more. Without it, it
/// sleeps there. Positions are multiples of 8.
const DOZING: u64 = 4;

/// The state of the consumer.
pub(super) struct Sleep(Line<AtomicU64>);

impl Sleep {
    /// Asleep at position 0.
    pub(super) fn new() -> Self {
        Self(Line::new(AtomicU64::new(0)))
    }

    /// A producer stores the header of its record: is it then to kick the consumer, which may be at
    /// any of `here`?
    #[inline]
    pub(super) fn must_kick(
        &self,
        word: &AtomicU64,
        header: u64,
        here: RangeInclusive<u64>,
    ) -> bool {
        // Also releases what was written into the record, which pairs with the acquire in
        // `Consumer::peek`. Pairs with the fence in `doze`: either the consumer sees the header,
        // or we see it doze.
        let now = store_then_load(word, header, &self.0);
        here.contains(&(now & !DOZING)) && self.wake(now, here)
    }

    #[cold]
    fn wake(&self, mut now: u64, here: RangeInclusive<u64>) -> bool {
        while here.contains(&(now & !DOZING)) {
            match self.change(now, CALLED) {
                // One that dozes sees that it was called, and stays: only a sleeper needs a kick.
                Ok(_) => return now & DOZING == 0,
                Err(changed) => now = changed,
            }
        }
        false
    }

    /// Makes the consumer look once more from now on. True if the caller must run it.
    pub(super) fn call(&self) -> bool {
        let mut now = self.0.load(Ordering::Relaxed);
        loop {
            let next = match now {
                RUNNING | RECALLED => RECALLED,
                _ => CALLED,
            };
            // Exchanged even for itself: the release is what shows the run what the caller wrote.
            match self.change(now, next) {
                Ok(_) => return now & (CALLED | RUNNING | DOZING) == 0,
                Err(changed) => now = changed,
            }
        }
    }

    /// Acquire and release: what the last run left behind goes on to the next one.
    fn change(&self, now: u64, next: u64) -> Result<u64, u64> {
        self.0
            .compare_exchange(now, next, Ordering::AcqRel, Ordering::Relaxed)
    }

    /// From called to running.
    pub(super) fn run(&self) -> bool {
        // Acquire: what the last run left behind.
        self.0
            .compare_exchange(CALLED, RUNNING, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    /// The consumer leaves, and another run must follow.
    pub(super) fn leave(&self) {
        self.0.store(CALLED, Ordering::Release);
    }

    /// The consumer means to sleep at `position`. It must look at the header there after this.
    pub(super) fn doze(&self, position: u64) -> bool {
        let dozes = self
            .0
            .compare_exchange(
                RUNNING,
                position | DOZING,
                Ordering::Release,
                Ordering::Relaxed,
            )
            .is_ok();
        // Pairs with the fence in `must_kick`.
        fence(Ordering::SeqCst);
        dozes
    }

    /// It looked, and found nothing. False if it was called since.
    pub(super) fn fall_asleep(&self, position: u64) -> bool {
        // Release: what this run leaves behind.
        self.0
            .compare_exchange(
                position | DOZING,
                position,
                Ordering::Release,
                Ordering::Relaxed,
            )
            .is_ok()
    }

    /// It stays awake after all.
    pub(super) fn stay(&self) {
        // Acquire: what the one who called wants it to see.
        self.0.swap(RUNNING, Ordering::Acquire);
    }
}
