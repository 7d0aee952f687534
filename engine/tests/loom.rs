//! Every order in which the accesses of what callbacks share can take effect, in small cases.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p ntwatch-engine --release --test loom`
#![cfg(loom)]

use loom::model::Builder;
use loom::sync::Arc;
use loom::thread;
use ntwatch_engine::in_flight::{InFlight, Seen};
use ntwatch_engine::process_table::ProcessId;
use ntwatch_engine::protect::{Denials, Rules};
use ntwatch_protocol::protect::{Rule, Target};

fn target(key: u64) -> Target {
    Target {
        key,
        pid: 8,
        reserved: 0,
    }
}

fn rule(key: u64, process: u32) -> Rule {
    Rule {
        target: target(key),
        process,
        thread: process << 8,
    }
}

/// Explores all orders with at most `preemptions` switches that nobody asked for, and no more than
/// `LOOM_MAX_PREEMPTIONS`.
fn explore(preemptions: usize, case: impl Fn() + Sync + Send + 'static) {
    let mut model = Builder::new();
    let most = model.preemption_bound.unwrap_or(preemptions);
    model.preemption_bound = Some(preemptions.min(most));
    model.check(case);
}

/// The model runs the case over and over; each time has denials of its own.
fn denials() -> &'static Denials {
    Box::leak(Box::new(Denials::new()))
}

/// One slot is used for one process, then for another, then for the first again.
#[test]
fn rights_of_one_process_are_never_taken_for_those_of_another() {
    explore(3, || {
        let denials = denials();
        let mut rules = Rules::new(denials);
        rules.add(0, rule(1, 0x01)).unwrap();
        let writer = thread::spawn(move || {
            rules.remove(&target(1));
            rules.add(0, rule(2, 0x02)).unwrap();
            rules.add(0, rule(2, 0x04)).unwrap();
            rules.remove(&target(2));
            rules.add(0, rule(1, 0x08)).unwrap();
        });
        assert!([0, 0x01, 0x08].contains(&denials.denied_process(1)));
        assert!([0, 0x02, 0x04].contains(&denials.denied_process(2)));
        writer.join().unwrap();
        assert_eq!(denials.denied_process(1), 0x08);
    });
}

/// Others come and go before and behind it, and its own rights are replaced.
#[test]
fn a_rule_that_was_added_before_is_always_seen() {
    explore(3, || {
        let denials = denials();
        let mut rules = Rules::new(denials);
        rules.add(0, rule(2, 0x01)).unwrap();
        rules.add(0, rule(1, 0x02)).unwrap();
        let writer = thread::spawn(move || {
            rules.remove(&target(2));
            rules.add(1, rule(3, 0x04)).unwrap();
            rules.add(1, rule(2, 0x08)).unwrap();
            rules.add(0, rule(1, 0x10)).unwrap();
            rules.end_session(1);
        });
        assert!([0x02, 0x10].contains(&denials.denied_process(1)));
        assert!([0x0200, 0x1000].contains(&denials.denied_thread(1)));
        writer.join().unwrap();
    });
}

/// The model has two slots for duplicates.
#[test]
fn of_three_duplicates_at_once_each_is_told_of_its_own_processes_or_of_none() {
    fn duplicate(in_flight: &InFlight, number: u32) -> bool {
        let process = |pid: u32| ProcessId {
            pid,
            key: u64::from(pid),
        };
        let processes = Some((process(number), process(number + 1)));
        let seen = Seen {
            original: number,
            desired: number,
            duplicate: processes,
        };
        let told = in_flight.get(in_flight.put(&seen)).unwrap();
        assert_eq!((told.original, told.desired), (number, number));
        assert!(told.duplicate.is_none() || told.duplicate == processes);
        told.duplicate.is_some()
    }

    explore(3, || {
        let in_flight = Arc::new(InFlight::new());
        let others = [4, 8].map(|number| {
            let in_flight = in_flight.clone();
            thread::spawn(move || duplicate(&in_flight, number))
        });
        let mut told = u32::from(duplicate(&in_flight, 12));
        for other in others {
            told += u32::from(other.join().unwrap());
        }
        assert!(told >= 2, "there is room for two");
        assert!(duplicate(&in_flight, 16), "and again");
    });
}
