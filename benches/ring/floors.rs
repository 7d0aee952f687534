//! What cannot be had for less on this machine.

use crate::{BURST, queue};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub(crate) fn rounds<const N: usize>() -> Vec<queue::Round> {
    let record = queue::record::<N>(0);
    // As far apart as the records of a queue.
    let mut room = vec![[0; N]; BURST as usize];
    let counter = AtomicU64::new(0);
    vec![
        floor("floor: copy of the bytes", move |turn| {
            if let Some(room) = room.get_mut(turn) {
                *room = *black_box(&record);
                black_box(room);
            }
        }),
        floor("floor: one atomic add", move |_| {
            black_box(&counter).fetch_add(1, Ordering::Relaxed);
        }),
        floor("floor: one clock read", |_| {
            black_box(Instant::now());
        }),
    ]
}

fn floor(name: &'static str, mut step: impl FnMut(usize) + 'static) -> queue::Round {
    let round = move || -> Duration {
        let started = Instant::now();
        for turn in 0..BURST as usize {
            step(turn);
        }
        started.elapsed()
    };
    (name, Box::new(round))
}
