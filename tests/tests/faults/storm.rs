//! Memory is short while clients get in each other's way.

use ntwatch_lab_figures::tell;
use ntwatch_tests::lab::Lab;
use ntwatch_tests::turmoil::{Trouble, round};
use ntwatch_tests::watchdog::watched;

#[test]
fn clients_for_whom_memory_is_short_leave_the_account_right_and_nothing_behind() {
    const ROUNDS: u64 = 200;
    let lab = Lab::get();
    for seed in 0..ROUNDS {
        // From every second call to one in seventeen.
        let one_in = 2 + seed as u32 % 16;
        watched(format!("round {seed}, one call in {one_in} fails"), || {
            round(&lab, seed, Trouble::Shortage(one_in));
        });
    }
    tell("clients for whom memory is short", ROUNDS, "rounds");
}
