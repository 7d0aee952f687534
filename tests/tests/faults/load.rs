//! Calls that fail while the driver is loaded.

use nthost::Kernel;
use nthost::verify::{Fault, Faults};
use ntwatch_lab_figures::tell;
use ntwatch_tests::lab::Lab;
use ntwatch_tests::machine::{load, stop};
use ntwatch_tests::verify::{add, boot, try_load};
use ntwatch_tests::watchdog::watched;
use std::slice;
use std::sync::Arc;

/// A load and an unload with these faults. Gives what they say of it if all went as it has to.
fn load_with(lab: &Lab, faults: &[Fault]) -> Arc<Faults> {
    let names: Vec<_> = faults.iter().map(Fault::to_string).collect();
    watched(format!("a load without {}", names.join("\nand ")), || {
        let kernel = boot();
        let faults = Arc::new(Faults::strike(faults.to_vec()));
        add(&kernel, &faults);
        fails_cleanly_or_works(&kernel, lab, &faults);
        faults
    })
}

fn fails_cleanly_or_works(kernel: &Arc<Kernel>, lab: &Lab, faults: &Faults) {
    match try_load(kernel, lab) {
        Ok(service) => stop(&service),
        Err((status, leaks)) => {
            assert!(status < 0, "refused with {status:#x}");
            assert!(leaks.is_empty(), "{leaks}");
            assert!(faults.struck() > 0, "refused without a reason");
        }
    }
    faults.stop();
    // What went wrong before stands in the way of nothing.
    stop(&load(kernel, lab));
}

#[test]
fn a_load_in_which_any_call_fails_leaves_nothing_behind() {
    let lab = Lab::get();
    let made = load_with(&lab, &[]).made();
    assert!(made.len() > 10, "{made:?}");
    for fault in &made {
        let struck = load_with(&lab, slice::from_ref(fault)).struck();
        assert_eq!(struck, 1, "{fault} is not made in every load");
    }
    tell("a load in which a call fails", made.len() as u64, "calls");
}

#[test]
fn a_load_in_which_any_two_calls_fail_leaves_nothing_behind() {
    let lab = Lab::get();
    let mut pairs = 0;
    for first in load_with(&lab, &[]).made() {
        // What is tried after the first has failed is another list than before.
        let made = load_with(&lab, slice::from_ref(&first)).made();
        let at = made.iter().position(|fault| *fault == first);
        let after = made.into_iter().skip(at.expect("it is made") + 1);
        for second in after {
            let what = format!("{first}\nand then {second}");
            let struck = load_with(&lab, &[first.clone(), second]).struck();
            assert_eq!(struck, 2, "{what} are not made in every load");
            pairs += 1;
        }
    }
    tell("a load in which two calls fail", pairs, "pairs");
}
