//! Threads that race for the driver, round by round. A round is chosen by its seed, and is named
//! by it when it fails; `NTWATCH_SEED=…` is that round alone. `NTWATCH_STRESS_MINUTES=…` goes on
//! from there for so long.

use ntwatch_tests::lab::Lab;
use ntwatch_tests::turmoil::{Trouble, round};
use ntwatch_tests::watchdog::watched;
use std::time::{Duration, Instant};

const ROUNDS: u64 = 500;

#[test]
fn threads_that_race_leave_the_account_right_and_nothing_behind() {
    let lab = Lab::get();
    let run = |seed| {
        watched(format!("NTWATCH_SEED={seed}"), || {
            round(&lab, seed, Trouble::Delays);
        });
    };
    let first = number("NTWATCH_SEED");
    if let Some(minutes) = number("NTWATCH_STRESS_MINUTES") {
        let end = Instant::now() + Duration::from_secs(60 * minutes);
        let mut seeds = first.unwrap_or(0)..;
        while Instant::now() < end {
            seeds.next().into_iter().for_each(run);
        }
    } else if let Some(seed) = first {
        run(seed);
    } else {
        (0..ROUNDS).for_each(run);
    }
}

/// The number that a variable of the environment is.
fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    let number = value.parse();
    Some(number.unwrap_or_else(|_| panic!("{variable}={value} is no number")))
}
