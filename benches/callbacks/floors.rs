//! What cannot be had for less on this machine.

use crate::{BURST, ROUNDS, per_call};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Prints the floors of the events' sizes.
pub(crate) fn print() {
    let counter = AtomicU64::new(0);
    let add = best(|_| {
        black_box(&counter).fetch_add(1, Ordering::Relaxed);
    });
    let clock = best(|_| {
        black_box(Instant::now());
    });
    println!("{:<34}{add:>10.1}", "floor: one atomic add");
    println!("{:<34}{clock:>10.1}", "floor: one clock read");
    println!("{:<34}{:>10.1}", "floor: copy of 128 bytes", copy::<128>());
    println!("{:<34}{:>10.1}", "floor: copy of 640 bytes", copy::<640>());
}

fn copy<const N: usize>() -> f64 {
    let record = [0x5A_u8; N];
    // As far apart as the records of a ring.
    let mut room = vec![[0; N]; BURST as usize];
    best(|turn| {
        if let Some(room) = room.get_mut(turn) {
            *room = *black_box(&record);
            black_box(room);
        }
    })
}

/// ns a step.
fn best(mut step: impl FnMut(usize)) -> f64 {
    let rounds = (0..ROUNDS).map(|_| {
        let started = Instant::now();
        (0..BURST as usize).for_each(&mut step);
        started.elapsed()
    });
    per_call(rounds.min().unwrap_or_default())
}
