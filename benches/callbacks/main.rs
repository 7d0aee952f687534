//! What the shipped driver's callbacks cost those who are watched, beside the floors of this
//! machine, and how many events a second come through to a client.
//!
//! `cargo xtask bench`, or with a lab built: `cargo bench -p ntwatch-benches --bench callbacks`
//!
//! The driver's routines are called as the kernel calls them, many times in a row; what they call
//! in turn is the modelled kernel's, so its costs are in the figures. Each figure is the best of
//! many rounds: what disturbs a round is not the callback.

mod floors;
mod machine;
mod routines;
mod stream;

use machine::{Machine, SESSIONS};
use routines::ROUTINES;
use std::time::Duration;

/// Rounds of each measurement.
const ROUNDS: usize = 60;
/// Calls between two looks at the clock; their events fit into every ring.
const BURST: u32 = 1000;

fn main() {
    println!("callbacks: ns a call, best of {ROUNDS} rounds of {BURST}\n");
    floors::print();
    println!("\n{:<34}{:>10}{:>10}{:>10}", "sessions", 0, 1, 16);
    let mut rows = vec![Vec::new(); ROUTINES.len()];
    for sessions in SESSIONS {
        let machine = Machine::with_sessions(sessions);
        for (row, routine) in rows.iter_mut().zip(&ROUTINES) {
            let best = (0..ROUNDS).map(|_| machine.round(routine)).min();
            row.push(per_call(best.unwrap_or_default()));
        }
        machine.end();
    }
    for (row, routine) in rows.iter().zip(&ROUTINES) {
        let [none, one, all] = row[..] else { continue };
        println!("{:<34}{none:>10.1}{one:>10.1}{all:>10.1}", routine.name);
    }
    println!();
    stream::print();
}

fn per_call(burst: Duration) -> f64 {
    burst.as_nanos() as f64 / f64::from(BURST)
}
