//! Clients that read in place: when they are woken, and what they can spoil.

use crate::client::Transport;
use crate::machine::{Machine, WAKE_BYTES};
use crate::wish::Wish;
use crate::{CAPTURE_RING, SESSION_RING, records};
use ntwatch_engine::account::of;
use ntwatch_protocol::reader::Record;
use ntwatch_protocol::record::{Kind, MAX_RECORD_SIZE};
use ntwatch_ring::session::{Until, state};
use proptest::prelude::*;
use std::sync::atomic::Ordering;

/// Bytes of a ring that is soon full.
const SMALL_RING: usize = 1 << 12;

/// A machine with one client, which reads in place.
fn machine(ring_size: usize) -> Machine {
    let mut machine = Machine::new(CAPTURE_RING);
    machine.listen_by(Transport::Mapped, ring_size, &Wish::everything());
    machine
}

/// So many processes exit, and the worker tells of it in one batch.
fn exits(machine: &mut Machine, count: u64) {
    for key in 0..count {
        machine.exit(8, key);
    }
    machine.work(usize::MAX);
}

#[test]
fn a_busy_client_is_not_woken_and_a_sleeping_one_once() {
    let mut machine = machine(SESSION_RING);
    exits(&mut machine, 3);
    assert_eq!(machine.wakes, [0]);
    machine.read(0, MAX_RECORD_SIZE);
    assert!(machine.clients[0].mapped().fall_asleep(Until::Anything));
    exits(&mut machine, 3);
    exits(&mut machine, 3);
    assert_eq!(machine.wakes, [1]);
    assert!(!machine.clients[0].mapped().fall_asleep(Until::Anything));
}

#[test]
fn a_client_that_waits_for_much_is_not_woken_for_little() {
    let mut machine = machine(SESSION_RING);
    let much = Until::Bytes(WAKE_BYTES);
    assert!(machine.clients[0].mapped().fall_asleep(much));
    exits(&mut machine, 3);
    assert_eq!(machine.wakes, [0]);
    exits(&mut machine, 30);
    assert_eq!(machine.wakes, [1]);
    assert!(machine.read(0, MAX_RECORD_SIZE).len() as u64 >= WAKE_BYTES);
}

#[test]
fn nobody_falls_asleep_beside_a_gap_without_having_been_told() {
    let mut machine = machine(SMALL_RING);
    // One a batch, so that the last batch is lost as a whole.
    while of(&machine.account(0).lost, Kind::ProcessExit) == 0 {
        exits(&mut machine, 1);
    }
    let client = machine.clients[0].mapped();
    while client.ring.peek().unwrap().is_some() {
        client.ring.release();
    }
    assert!(!client.fall_asleep(Until::Anything));
    assert_eq!(client.ring.state(), state::GAP);
    // It knows, and sleeps all the same: what comes next is announced together with the gap.
    assert!(client.fall_asleep(Until::Anything));
    exits(&mut machine, 1);
    assert_eq!(machine.wakes, [1]);
    let bytes = machine.read(0, MAX_RECORD_SIZE);
    let [Record::Lost(_), Record::ProcessExit(_)] = records(&bytes)[..] else {
        panic!("the gap and what came after it");
    };
    assert_eq!(machine.clients[0].mapped().ring.state(), 0);
}

#[test]
fn a_sleeping_client_is_woken_to_hear_that_nothing_more_will_come() {
    let mut machine = machine(SESSION_RING);
    let much = Until::Bytes(WAKE_BYTES);
    assert!(machine.clients[0].mapped().fall_asleep(much));
    let feed = machine.feeds.feed(0).unwrap();
    feed.end();
    assert!(feed.must_wake(WAKE_BYTES));
    assert_eq!(machine.clients[0].mapped().ring.state(), state::ENDED);
}

/// What one does who writes whatever it likes where its position is to be.
#[derive(Clone, Debug)]
enum Step {
    Happens { starts: bool, length: usize },
    Work { records: usize },
    Claim(u64),
    Move(i64),
    Ask,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (any::<bool>(), 0usize..300)
            .prop_map(|(starts, length)| Step::Happens { starts, length }),
        3 => (1usize..20).prop_map(|records| Step::Work { records }),
        1 => any::<u64>().prop_map(Step::Claim),
        1 => (0..4 * SMALL_RING as u64).prop_map(Step::Claim),
        4 => (-100i64..400).prop_map(Step::Move),
        1 => Just(Step::Ask),
    ]
}

proptest! {
    /// It may lose events or be said to have some that it never read, but each is in its account,
    /// and the others read what they would have read without it.
    #[test]
    fn a_client_that_lies_harms_nobody_else(steps in prop::collection::vec(step(), 1..300)) {
        let mut machine = Machine::new(CAPTURE_RING);
        let everything = Wish::everything();
        let liar = machine.listen_by(Transport::Mapped, SMALL_RING, &everything);
        let brought = machine.listen_by(Transport::Read, SESSION_RING, &everything);
        let mapped = machine.listen_by(Transport::Mapped, SESSION_RING, &everything);
        for (step, key) in steps.into_iter().zip(1..) {
            let word = machine.clients[liar].mapped().word;
            match step {
                Step::Happens { starts: true, length } => {
                    machine.start(8, key, &"c".repeat(length));
                }
                Step::Happens { starts: false, .. } => machine.exit(8, key),
                Step::Work { records } => machine.work(records),
                Step::Claim(claimed) => word.store(claimed, Ordering::Relaxed),
                Step::Move(by) => {
                    let moved = word.load(Ordering::Relaxed).wrapping_add_signed(by);
                    word.store(moved, Ordering::Relaxed);
                }
                Step::Ask => machine.feeds.feed(liar).unwrap().announce(),
            }
            machine.assert_balanced();
        }
        machine.work_to_the_end();
        machine.assert_balanced();
        let told = machine.account(liar).captured;
        let bytes = machine.read(brought, SESSION_RING);
        prop_assert_eq!(&bytes, &machine.read(mapped, SESSION_RING));
        let mut read = [0, 0];
        for record in records(&bytes) {
            read[usize::from(matches!(record, Record::ProcessExit(_)))] += 1;
        }
        prop_assert_eq!(read, [Kind::ProcessStart, Kind::ProcessExit].map(|kind| of(&told, kind)));
    }
}
