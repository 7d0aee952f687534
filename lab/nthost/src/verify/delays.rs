//! Threads that take their time at the calls of a driver, so that they meet where they seldom do.

use super::{Call, Decision, Watch};
use crate::Current;
use fastrand::Rng;
use std::cell::Cell;
use std::hint;
use std::thread;
use std::time::Duration;

/// A [`Watch`] that holds threads up, by a chance that a seed decides.
///
/// The same seed holds the same call of a modelled thread up for as long, counted from the first
/// that its host thread makes. The order in which threads then run is the host's.
#[derive(Debug)]
pub struct Delays {
    seed: u64,
}

thread_local! {
    /// The seed last seen by this host thread, and its calls since.
    static CALLS: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

impl Delays {
    /// Those that `seed` brings.
    #[must_use]
    pub fn new(seed: u64) -> Delays {
        Delays { seed }
    }

    fn chance(&self) -> Rng {
        let calls = match CALLS.get() {
            (seed, calls) if seed == self.seed => calls + 1,
            _ => 0,
        };
        CALLS.set((self.seed, calls));
        let thread = Current::with(|current| current.thread.id);
        // Numbers into a seed one by one, so that none is another with another meaning.
        let mix = |seed, number| Rng::with_seed(seed ^ number).u64(..);
        let seed = [u64::from(thread), calls].into_iter().fold(self.seed, mix);
        Rng::with_seed(seed)
    }
}

impl Watch for Delays {
    fn enter(&self, _: &Call<'_>) -> Decision {
        let mut rng = self.chance();
        match rng.u32(0..512) {
            0 => thread::sleep(Duration::from_micros(rng.u64(1..1000))),
            1..=40 => thread::yield_now(),
            41..=160 => (0..rng.u32(1..500)).for_each(|_| hint::spin_loop()),
            _ => {}
        }
        Decision::Call
    }
}
