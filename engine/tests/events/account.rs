//! What becomes of events that nobody wants, or for which there is no room.

use crate::client::{TRANSPORTS, Transport};
use crate::machine::Machine;
use crate::sources::{load, open};
use crate::wish::Wish;
use crate::{CAPTURE_RING, SESSION_RING, records, wide};
use ntwatch_engine::account::{of, sum};
use ntwatch_engine::process_table::ProcessId;
use ntwatch_engine::session::{FeedAccount, ledger_size};
use ntwatch_protocol::access::process::{QUERY_INFORMATION, TERMINATE};
use ntwatch_protocol::configure::{AccessMasks, Selector, selector};
use ntwatch_protocol::lost::stage;
use ntwatch_protocol::reader::Record;
use ntwatch_protocol::record::{FIRST_SEQ, Kind, MAX_RECORD_SIZE, PerKind};
use proptest::prelude::*;

#[test]
fn nothing_is_offered_while_nobody_listens() {
    let mut machine = Machine::new(CAPTURE_RING);
    machine.start(8, 1, "");
    assert_eq!(machine.capture.account().captured(), PerKind::default());
}

#[test]
fn starts_and_exits_are_captured_for_whoever_listens_to_anything() {
    let mut machine = Machine::new(CAPTURE_RING);
    let session = machine.listen(SESSION_RING, &Wish::only(Kind::ProcessExit.bit()));
    machine.start(8, 1, "");
    machine.work_to_the_end();
    assert!(machine.read(session, MAX_RECORD_SIZE).is_empty());
    let account = machine.account(session);
    assert_eq!(of(&account.filtered, Kind::ProcessStart), 1);
}

#[test]
fn a_full_session_ring_loses_the_newest_and_says_so_where_they_are_missing() {
    for transport in TRANSPORTS {
        let mut machine = Machine::new(1 << 20);
        let session = machine.listen_by(transport, 1 << 12, &Wish::everything());
        for key in 0..100 {
            machine.start(8, key, "");
        }
        machine.work_to_the_end();
        let first = machine.read(session, MAX_RECORD_SIZE);
        let told = records(&first).len() as u64;
        let rest = machine.read(session, MAX_RECORD_SIZE);
        let [Record::Lost(lost)] = records(&rest)[..] else {
            panic!("{transport:?}: the announcement alone, without waiting for an event");
        };
        assert_eq!(lost.stage, stage::SESSION);
        assert_eq!(of(&lost.counts, Kind::ProcessStart), 100 - told);
        assert_eq!(lost.first_seq, FIRST_SEQ + told);
        assert_eq!(lost.last_seq, FIRST_SEQ + 99);
        machine.assert_balanced();
    }
}

#[test]
fn a_full_capture_ring_is_announced_to_every_session_that_wants_the_kind() {
    for transport in TRANSPORTS {
        let mut machine = Machine::new(1 << 12);
        let all = machine.listen_by(transport, SESSION_RING, &Wish::everything());
        let exits = Wish::only(Kind::ProcessExit.bit());
        let exits = machine.listen_by(transport, SESSION_RING, &exits);
        for key in 0..100 {
            machine.start(8, key, "");
        }
        machine.work_to_the_end();
        machine.start(8, 100, "");
        machine.work_to_the_end();
        let lost = of(&machine.capture.account().lost(), Kind::ProcessStart);
        assert!(lost > 0);
        let bytes = machine.read(all, MAX_RECORD_SIZE);
        let [
            ..,
            Record::ProcessStart(before),
            Record::Lost(gap),
            Record::ProcessStart(after),
        ] = records(&bytes)[..]
        else {
            panic!("{transport:?}: the gap before the first event after it");
        };
        assert_eq!(
            (gap.stage, of(&gap.counts, Kind::ProcessStart)),
            (stage::CAPTURE, lost)
        );
        assert_eq!(
            (gap.first_seq, gap.last_seq),
            (before.header.seq, after.header.seq)
        );
        assert!(machine.read(exits, MAX_RECORD_SIZE).is_empty());
        machine.assert_balanced();
    }
}

#[test]
fn a_session_that_never_asks_for_its_account_has_one() {
    const RING: usize = 1 << 12;
    for transport in TRANSPORTS {
        let mut machine = Machine::new(CAPTURE_RING);
        let session = machine.listen_by(transport, RING, &Wish::everything());
        // More records than the ring's ledger remembers.
        let exits = ledger_size(RING) as u64;
        for key in 0..exits {
            machine.exit(8, key);
            machine.work_to_the_end();
            let read = machine.read(session, MAX_RECORD_SIZE);
            assert_eq!(records(&read).len(), 1, "{transport:?}");
        }
        let account = machine.account(session);
        assert_eq!(of(&account.delivered, Kind::ProcessExit), exits);
        machine.assert_balanced();
    }
}

#[test]
fn announcements_are_in_order_however_little_room_was_left() {
    for transport in TRANSPORTS {
        // So many that one of these rings has room for an exit but for no announcement.
        for before in 0..64 {
            let mut machine = Machine::new(1 << 12);
            let exits = Wish::only(Kind::ProcessExit.bit());
            let session = machine.listen_by(transport, 1 << 12, &exits);
            for key in 0..before {
                machine.exit(8, key);
                machine.work_to_the_end();
            }
            // Starts fill the capture ring, so that only exits that the session wants are lost.
            for key in 0..100 {
                machine.start(12, key, "");
            }
            machine.exit(12, 0);
            machine.work_to_the_end();
            machine.exit(16, 0);
            machine.work_to_the_end();

            let mut bytes = machine.read(session, SESSION_RING);
            bytes.extend(machine.read(session, SESSION_RING));
            let records = records(&bytes);
            let numbers: Vec<_> = records.iter().map(|record| record.header().seq).collect();
            assert!(numbers.is_sorted_by(|a, b| a < b), "{before}: {numbers:?}");
            let lost = records.iter().map(|record| match record {
                Record::Lost(lost) => of(&lost.counts, Kind::ProcessExit),
                _ => 1,
            });
            assert_eq!(lost.sum::<u64>(), before + 2, "{before}: all are told of");
            machine.assert_balanced();
        }
    }
}

#[test]
fn what_a_client_has_read_is_delivered_at_once() {
    for transport in TRANSPORTS {
        let mut machine = Machine::new(CAPTURE_RING);
        let session = machine.listen_by(transport, SESSION_RING, &Wish::everything());
        for key in 0..10 {
            machine.exit(8, key);
        }
        machine.work_to_the_end();
        let exits = |account: &FeedAccount| {
            [account.delivered, account.queued].map(|counts| of(&counts, Kind::ProcessExit))
        };
        assert_eq!(exits(machine.account(session)), [0, 10], "{transport:?}");
        let some = machine.read(session, 500);
        let read = records(&some).len() as u64;
        assert!(0 < read && read < 10);
        assert_eq!(exits(machine.account(session)), [read, 10 - read]);
    }
}

#[test]
fn references_that_are_left_in_the_ring_are_given_back_at_unload() {
    let mut machine = Machine::new(1 << 12);
    machine.listen(SESSION_RING, &Wish::everything());
    for key in 0..100 {
        machine.start(8, key, "");
    }
    machine.work(3);
    assert_eq!(machine.unload(), 0);
}

#[derive(Clone, Debug)]
enum Step {
    Happens {
        what: Kind,
        id: ProcessId,
        other: ProcessId,
        length: usize,
    },
    Work {
        records: usize,
    },
    Read {
        session: usize,
        room: usize,
    },
    Open(Transport, Wish),
    Change {
        session: usize,
        wish: Wish,
    },
}

/// An event of kind `what`, with a string of its own where the kind has one.
fn happen(machine: &mut Machine, what: Kind, id: ProcessId, other: ProcessId, text: &str) {
    match what {
        Kind::ProcessStart => machine.child(id.pid, id.key, other, text),
        Kind::ProcessExit => machine.exit(id.pid, id.key),
        Kind::ThreadStart => machine.thread(id, 2 * other.pid, other),
        Kind::ThreadExit => machine.thread_exit(id, 2 * other.pid),
        Kind::ImageLoad => machine.image(&load(id, Some(&wide(text)))),
        Kind::HandleOpen if text.len().is_multiple_of(2) => {
            machine.open_handle(&open(id, other, QUERY_INFORMATION));
        }
        _ => machine.open_handle(&open(id, other, TERMINATE)),
    }
}

fn process() -> impl Strategy<Value = ProcessId> {
    (1u32..9, 1u64..4).prop_map(|(pid, key)| ProcessId { pid, key })
}

fn wish() -> impl Strategy<Value = Wish> {
    let selector = (process(), 0..=selector::ALL).prop_map(|(id, flags)| Selector {
        pid: id.pid,
        key: 0,
        flags,
    });
    let image = prop::option::of(r"p[1-4?]\.exe");
    let access = prop::option::of(Just(AccessMasks::ALL));
    let processes = prop::collection::vec(selector, 0..2);
    (1u32..64, processes, image, access, any::<[bool; 2]>()).prop_map(
        |(bits, processes, image, access, [remote_threads, user_images])| Wish {
            mask: bits << Kind::ProcessStart.index(),
            processes,
            image,
            excluded_image: None,
            access,
            remote_threads,
            user_images,
        },
    )
}

fn transport() -> impl Strategy<Value = Transport> {
    prop::sample::select(&TRANSPORTS[..])
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop::sample::select(&Kind::EVENTS[..]);
    let happens = (kind, process(), process(), 0usize..300);
    prop_oneof![
        9 => happens.prop_map(|(what, id, other, length)| Step::Happens { what, id, other, length }),
        3 => (1usize..20).prop_map(|records| Step::Work { records }),
        2 => (0usize..3, 0usize..4000).prop_map(|(session, room)| Step::Read { session, room }),
        1 => (transport(), wish()).prop_map(|(transport, wish)| Step::Open(transport, wish)),
        1 => (0usize..3, wish()).prop_map(|(session, wish)| Step::Change { session, wish }),
    ]
}

proptest! {
    /// Whatever happens in whatever order, with rings that are far too small: every event is
    /// accounted for, every loss is announced once, and numbers never step back.
    #[test]
    fn no_event_goes_missing_unaccounted(steps in prop::collection::vec(step(), 1..200)) {
        let mut machine = Machine::new(1 << 12);
        let mut read: Vec<Vec<u8>> = Vec::new();
        for step in steps {
            match step {
                Step::Happens { what, id, other, length } => {
                    happen(&mut machine, what, id, other, &"c".repeat(length));
                }
                Step::Work { records } => machine.work(records),
                Step::Read { session, room } if session < read.len() => {
                    let bytes = machine.read(session, room);
                    read[session].extend(bytes);
                }
                Step::Open(transport, wish) if read.len() < 3 => {
                    machine.listen_by(transport, 1 << 12, &wish);
                    read.push(Vec::new());
                }
                Step::Change { session, wish } if session < read.len() => {
                    machine.change(session, &wish);
                }
                _ => {}
            }
            machine.assert_balanced();
        }
        machine.work_to_the_end();
        for (session, read) in read.iter_mut().enumerate() {
            // Twice: the first makes room for what is still to be announced.
            read.extend(machine.read(session, MAX_RECORD_SIZE));
            read.extend(machine.read(session, MAX_RECORD_SIZE));
        }
        machine.assert_balanced();
        for (session, read) in read.iter().enumerate() {
            let mut events = PerKind::default();
            let mut announced = PerKind::default();
            let mut last_seq = 0;
            for record in records(read) {
                let header = *record.header();
                prop_assert!(header.seq > last_seq);
                match record {
                    Record::Lost(lost) if lost.stage == stage::SESSION => {
                        prop_assert!(lost.first_seq > last_seq, "what was told is not lost");
                        announced = sum(&announced, &lost.counts);
                    }
                    Record::Lost(_) => {}
                    _ => events[usize::from(header.kind)] += 1,
                }
                last_seq = header.seq;
            }
            let account = machine.account(session);
            prop_assert_eq!(events, account.delivered);
            prop_assert_eq!(announced, account.lost);
        }
        prop_assert_eq!(machine.unload(), 0, "references are all given back");
    }
}
