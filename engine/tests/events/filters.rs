//! Filters that ask for what the worker has to find out, or the callbacks have to know.

use crate::machine::{Machine, SYSTEM};
use crate::sources::{load, open};
use crate::wish::Wish;
use crate::{CAPTURE_RING, SESSION_RING, records};
use ntwatch_engine::account::of;
use ntwatch_engine::process_table::ProcessId;
use ntwatch_protocol::access::process::{QUERY_INFORMATION, TERMINATE};
use ntwatch_protocol::configure::{AccessMasks, Selector, selector};
use ntwatch_protocol::record::{Kind, MAX_RECORD_SIZE};

const A: ProcessId = ProcessId { pid: 8, key: 2 };
const B: ProcessId = ProcessId { pid: 16, key: 3 };
/// Windows does not know it any more.
const GONE: ProcessId = ProcessId { pid: 12, key: 4 };

fn read(machine: &mut Machine, session: usize) -> usize {
    machine.work_to_the_end();
    let bytes = machine.read(session, MAX_RECORD_SIZE);
    records(&bytes).len()
}

fn about(image: &str) -> Wish {
    Wish {
        image: Some(image.to_string()),
        ..Wish::everything()
    }
}

#[test]
fn an_open_is_about_who_opens_and_who_is_opened() {
    let mut machine = Machine::new(CAPTURE_RING);
    let a = machine.listen(SESSION_RING, &about("P8.exe"));
    let b = machine.listen(SESSION_RING, &about("p16.exe"));
    let other = machine.listen(SESSION_RING, &about("p20.exe"));
    machine.open_handle(&open(A, B, TERMINATE));
    let told = [a, b, other].map(|session| read(&mut machine, session));
    assert_eq!(told, [1, 1, 0]);
}

#[test]
fn windows_is_asked_for_the_image_of_a_process_once_and_only_for_a_filter() {
    let mut machine = Machine::new(CAPTURE_RING);
    let session = machine.listen(SESSION_RING, &Wish::everything());
    machine.open_handle(&open(A, B, TERMINATE));
    assert_eq!(read(&mut machine, session), 1);
    assert_eq!(machine.windows.questions.get(), 0);
    machine.change(session, &about("p8.exe"));
    for _ in 0..3 {
        machine.image(&load(A, None));
        machine.thread(A, 16, GONE);
    }
    assert_eq!(read(&mut machine, session), 6);
    assert_eq!(machine.windows.questions.get(), 2, "of each process");
}

#[test]
fn windows_is_not_asked_for_the_image_of_a_process_that_was_seen_to_start() {
    let mut machine = Machine::new(CAPTURE_RING);
    let session = machine.listen(SESSION_RING, &about("p8.exe"));
    machine.start(A.pid, A.key, "");
    machine.image(&load(A, None));
    assert_eq!(read(&mut machine, session), 2);
    assert_eq!(machine.windows.questions.get(), 0);
}

#[test]
fn an_image_that_nobody_knows_matches_nothing() {
    let mut machine = Machine::new(CAPTURE_RING);
    let any = machine.listen(SESSION_RING, &about("*"));
    let but = Wish {
        excluded_image: Some("*".to_string()),
        ..Wish::everything()
    };
    let none = machine.listen(SESSION_RING, &but);
    machine.image(&load(GONE, None));
    assert_eq!(read(&mut machine, any), 0);
    assert_eq!(read(&mut machine, none), 1);
}

#[test]
fn a_tree_is_followed_from_events_that_the_session_did_not_ask_for() {
    let mut machine = Machine::new(CAPTURE_RING);
    let family = Wish {
        processes: vec![Selector {
            pid: SYSTEM.pid,
            flags: selector::DESCENDANTS,
            key: SYSTEM.key,
        }],
        ..Wish::only(Kind::ImageLoad.bit())
    };
    let session = machine.listen(SESSION_RING, &family);
    machine.start(A.pid, A.key, "");
    machine.child(B.pid, B.key, A, "");
    machine.image(&load(B, None));
    machine.exit(B.pid, B.key);
    machine.image(&load(B, None));
    assert_eq!(read(&mut machine, session), 1);
}

#[test]
fn a_tree_goes_on_when_the_session_asks_for_other_kinds_of_it() {
    let mut machine = Machine::new(CAPTURE_RING);
    let family = |exclude| Wish {
        processes: vec![Selector {
            pid: SYSTEM.pid,
            flags: selector::DESCENDANTS | exclude,
            key: SYSTEM.key,
        }],
        ..Wish::only(Kind::ImageLoad.bit())
    };
    let session = machine.listen(SESSION_RING, &family(0));
    machine.start(A.pid, A.key, "");
    machine.work_to_the_end();
    let mut wider = family(0);
    wider.mask = Kind::ALL_EVENTS;
    wider.processes.push(Selector {
        pid: B.pid,
        flags: 0,
        key: B.key,
    });
    machine.change(session, &wider);
    machine.image(&load(A, None));
    assert_eq!(read(&mut machine, session), 1);
    machine.change(session, &family(selector::EXCLUDE));
    machine.image(&load(A, None));
    assert_eq!(read(&mut machine, session), 1, "others are left out now");
}

#[test]
fn opens_that_no_session_wants_are_not_even_offered() {
    let mut machine = Machine::new(CAPTURE_RING);
    let offered = |machine: &Machine| of(&machine.capture.account().captured(), Kind::HandleOpen);
    let session = machine.listen(SESSION_RING, &Wish::everything());
    machine.open_handle(&open(A, B, QUERY_INFORMATION));
    assert_eq!(offered(&machine), 0);
    let all = Wish {
        access: Some(AccessMasks::ALL),
        ..Wish::only(Kind::HandleOpen.bit())
    };
    machine.listen(SESSION_RING, &all);
    machine.open_handle(&open(A, B, QUERY_INFORMATION));
    assert_eq!(offered(&machine), 1);
    assert_eq!(read(&mut machine, session), 0);
    machine.assert_balanced();
}
