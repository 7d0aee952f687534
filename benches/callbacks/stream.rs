//! From callback to decoded event: how many handles a second.

use crate::machine::Machine;
use crate::routines;
use ntwatch_protocol::reader::Records;
use ntwatch_protocol::record::Kind;
use ntwatch_tests::machine::{end_of, stats, submit_read};
use std::thread;
use std::time::Instant;

/// Events of a run.
const EVENTS: u64 = 2_000_000;
/// As many may be under way: they fit into every ring.
const UNDER_WAY: u64 = 24 * 1024;
/// Events between two looks at how many are.
const STEP: u64 = 4096;
const RUNS: usize = 3;

/// Prints the best of some runs.
pub(crate) fn print() {
    let best = (0..RUNS).map(|_| run()).fold(
        (0.0, 0),
        |best, run| {
            if run.0 > best.0 { run } else { best }
        },
    );
    println!(
        "{:<34}{:>10.2} million a second, {} lost (one thread opens, the worker, one client)",
        "handles, callback to decoded", best.0, best.1
    );
}

/// Millions of events a second, and how many were lost.
fn run() -> (f64, u64) {
    let machine = Machine::with_sessions(1);
    let handle = machine.handle();
    let started = Instant::now();
    let decoded = thread::scope(|scope| {
        scope.spawn(|| {
            routines::opens(&machine.kernel, |open| {
                for step in 0..EVENTS / STEP {
                    while step * STEP > delivered(&machine) + UNDER_WAY {
                        thread::yield_now();
                    }
                    for _ in 0..STEP {
                        open();
                    }
                }
            });
        });
        let mut decoded = 0;
        while decoded < EVENTS / STEP * STEP {
            let done = end_of(&submit_read(handle));
            assert_eq!(done.status, 0, "READ_EVENTS: {:#x}", done.status);
            decoded += Records::new(&done.output).flatten().count() as u64;
        }
        decoded
    });
    let rate = decoded as f64 / started.elapsed().as_secs_f64() / 1e6;
    let lost = stats(handle);
    let at = Kind::HandleOpen.index();
    let lost = lost.capture_lost[at] + lost.session_lost[at];
    machine.end();
    (rate, lost)
}

fn delivered(machine: &Machine) -> u64 {
    stats(machine.handle()).delivered[Kind::HandleOpen.index()]
}
