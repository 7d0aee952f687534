//! What becomes of an event on its way from a callback to a read.

mod machine;

use machine::{Machine, NOW, Wish, records, wide};
use ntwatch_engine::account::{of, sum};
use ntwatch_protocol::lost::stage;
use ntwatch_protocol::process::known;
use ntwatch_protocol::reader::Record;
use ntwatch_protocol::record::{FIRST_SEQ, Kind, MAX_RECORD_SIZE, PerKind};
use ntwatch_protocol::wide::Wide;
use proptest::prelude::*;

const CAPTURE_RING: usize = 1 << 16;
const SESSION_RING: usize = 1 << 16;

#[test]
fn a_start_tells_what_the_callback_saw_and_what_the_worker_found() {
    let mut machine = Machine::new(CAPTURE_RING);
    let session = machine.open(SESSION_RING, &Wish::everything());
    machine.start(8, 77, "p8 --now");
    machine.work_to_the_end();
    let bytes = machine.read(session, MAX_RECORD_SIZE);
    let [Record::ProcessStart(start)] = records(&bytes)[..] else {
        panic!("one start");
    };
    assert_eq!((start.pid, start.key), (8, 77));
    assert_eq!((start.header.seq, start.header.time), (FIRST_SEQ, NOW));
    assert_eq!(start.command_line(), Some(Wide::new(&wide("p8 --now"))));
    assert_eq!(start.image_name(), Some(Wide::new(&wide(r"\??\C:\p8.exe"))));
    let path = wide(r"\Device\HarddiskVolume3\p8.exe");
    assert_eq!(start.image_path(), Some(Wide::new(&path)));
    assert_eq!(start.known(known::INTEGRITY, start.integrity), Some(0x4000));
    assert_eq!(start.known(known::PARENT_KEY, start.parent_key), Some(1));
    assert_eq!(start.known(known::CREATOR_KEY, start.creator_key), None);
}

#[test]
fn facts_of_a_process_that_is_gone_already_are_null() {
    let mut machine = Machine::new(CAPTURE_RING);
    let session = machine.open(SESSION_RING, &Wish::everything());
    machine.start(12, 1, "");
    machine.exit(12, 1);
    machine.work_to_the_end();
    let bytes = machine.read(session, MAX_RECORD_SIZE);
    let [Record::ProcessStart(start), Record::ProcessExit(exit)] = records(&bytes)[..] else {
        panic!("a start and an exit");
    };
    assert_eq!((start.image_path(), start.user()), (None, None));
    assert_eq!(start.known & !known::PARENT_KEY, 0);
    assert_eq!(
        start.command_line(),
        Some(Wide::default()),
        "empty, not absent"
    );
    let name = wide(r"\??\C:\p12.exe");
    assert_eq!(
        exit.image(),
        Some(Wide::new(&name)),
        "the name it was started by"
    );
}

#[test]
fn an_exit_without_a_start_still_has_an_image() {
    let mut machine = Machine::new(CAPTURE_RING);
    let session = machine.open(SESSION_RING, &Wish::everything());
    machine.exit(20, 5);
    machine.work_to_the_end();
    let bytes = machine.read(session, MAX_RECORD_SIZE);
    let [Record::ProcessExit(exit)] = records(&bytes)[..] else {
        panic!("one exit");
    };
    let path = wide(r"\Device\HarddiskVolume3\p20.exe");
    assert_eq!(exit.image(), Some(Wide::new(&path)));
    assert_eq!(exit.exit_status, 0xC000_013A);
}

#[test]
fn nothing_is_offered_while_nobody_listens() {
    let mut machine = Machine::new(CAPTURE_RING);
    machine.start(8, 1, "");
    assert_eq!(machine.capture.account().captured(), PerKind::default());
}

#[test]
fn starts_and_exits_are_captured_for_whoever_listens_to_anything() {
    let mut machine = Machine::new(CAPTURE_RING);
    let exits = Wish {
        mask: Kind::ProcessExit.bit(),
        pids: Vec::new(),
    };
    let session = machine.open(SESSION_RING, &exits);
    machine.start(8, 1, "");
    machine.work_to_the_end();
    assert!(machine.read(session, MAX_RECORD_SIZE).is_empty());
    let account = machine.feeds.feed(session).unwrap().account();
    assert_eq!(of(&account.filtered, Kind::ProcessStart), 1);
}

#[test]
fn the_longest_strings_of_windows_fit_into_a_record() {
    let mut machine = Machine::new(1 << 20);
    let session = machine.open(1 << 20, &Wish::everything());
    machine.start(8, 1, &"x".repeat(32767));
    machine.work_to_the_end();
    assert_eq!(records(&machine.read(session, MAX_RECORD_SIZE)).len(), 1);
}

#[test]
fn a_full_session_ring_loses_the_newest_and_says_so_where_they_are_missing() {
    let mut machine = Machine::new(1 << 20);
    let session = machine.open(1 << 12, &Wish::everything());
    for key in 0..100 {
        machine.start(8, key, "");
    }
    machine.work_to_the_end();
    let first = machine.read(session, MAX_RECORD_SIZE);
    let told = records(&first).len() as u64;
    let rest = machine.read(session, MAX_RECORD_SIZE);
    let [Record::Lost(lost)] = records(&rest)[..] else {
        panic!("the announcement alone, without waiting for an event");
    };
    assert_eq!(lost.stage, stage::SESSION);
    assert_eq!(of(&lost.counts, Kind::ProcessStart), 100 - told);
    assert_eq!(lost.first_seq, FIRST_SEQ + told);
    assert_eq!(lost.last_seq, FIRST_SEQ + 99);
    machine.assert_balanced();
}

#[test]
fn a_full_capture_ring_is_announced_to_every_session_that_wants_the_kind() {
    let mut machine = Machine::new(1 << 12);
    let all = machine.open(SESSION_RING, &Wish::everything());
    let exits = machine.open(
        SESSION_RING,
        &Wish {
            mask: Kind::ProcessExit.bit(),
            pids: Vec::new(),
        },
    );
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
        panic!("the gap before the first event after it");
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

#[test]
fn references_that_are_left_in_the_ring_are_given_back_at_unload() {
    let mut machine = Machine::new(1 << 12);
    machine.open(SESSION_RING, &Wish::everything());
    for key in 0..100 {
        machine.start(8, key, "");
    }
    machine.work(3);
    assert_eq!(machine.unload(), 0);
}

#[derive(Clone, Debug)]
enum Step {
    Start { pid: u32, command_line: usize },
    Exit { pid: u32 },
    Work { records: usize },
    Read { session: usize, room: usize },
    Open(Wish),
    Change { session: usize, wish: Wish },
}

fn wish() -> impl Strategy<Value = Wish> {
    let mask = (1u32..4).prop_map(|bits| bits << Kind::ProcessStart.index());
    (mask, prop::collection::vec(1u32..9, 0..3)).prop_map(|(mask, pids)| Wish { mask, pids })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1u32..9, 0usize..300).prop_map(|(pid, command_line)| Step::Start { pid, command_line }),
        3 => (1u32..9).prop_map(|pid| Step::Exit { pid }),
        3 => (1usize..20).prop_map(|records| Step::Work { records }),
        2 => (0usize..3, 0usize..4000).prop_map(|(session, room)| Step::Read { session, room }),
        1 => wish().prop_map(Step::Open),
        1 => (0usize..3, wish()).prop_map(|(session, wish)| Step::Change { session, wish }),
    ]
}

proptest! {
    /// Whatever happens in whatever order, with rings that are far too small: every event is
    /// accounted for, every loss is announced once, and numbers never step back.
    #[test]
    fn no_event_goes_missing_unaccounted(steps in prop::collection::vec(step(), 1..200)) {
        let mut machine = Machine::new(1 << 11);
        let mut read: Vec<Vec<u8>> = Vec::new();
        let mut keys = 0;
        for step in steps {
            match step {
                Step::Start { pid, command_line } => {
                    keys += 1;
                    machine.start(pid, keys, &"c".repeat(command_line));
                }
                Step::Exit { pid } => machine.exit(pid, keys),
                Step::Work { records } => machine.work(records),
                Step::Read { session, room } if session < read.len() => {
                    let bytes = machine.read(session, room);
                    read[session].extend(bytes);
                }
                Step::Open(wish) if read.len() < 3 => {
                    machine.open(1 << 11, &wish);
                    read.push(Vec::new());
                }
                Step::Change { session, wish } if session < read.len() => {
                    let feed = machine.feeds.feed(session).unwrap();
                    feed.set_filter(wish.filter());
                    machine.capture.listen(&machine.feeds.listening());
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
            let feed = machine.feeds.feed(session).unwrap();
            prop_assert_eq!(&events, machine.readers[session].delivered());
            prop_assert_eq!(announced, feed.account().lost);
        }
        prop_assert_eq!(machine.unload(), 0, "references are all given back");
    }
}
