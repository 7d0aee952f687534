//! A process is its pid and its start key, through all sources.

use crate::{numbered, running, started};
use nthost::Kernel;
use nthost::ps::{NewImage, NewThread, Open, Place};
use ntwatch_protocol::access::process::VM_READ;
use ntwatch_protocol::process::known;
use ntwatch_protocol::reader::Record;
use ntwatch_tests::machine::{read, with_session};

/// The start key in an event, of whatever kind.
fn key(record: &Record<'_>) -> u64 {
    match record {
        Record::ProcessStart(event) => event.key,
        Record::ProcessExit(event) => event.key,
        Record::ThreadStart(event) => event.key,
        Record::ThreadExit(event) => event.key,
        Record::ImageLoad(event) => event.key,
        Record::HandleOpen(event) => event.target_key,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_pid_that_is_used_again_at_once_is_another_process_in_every_event() {
    with_session(|kernel, handle| {
        let actor = running(kernel, 400);
        let mut expected = Vec::new();
        for _ in 0..3 {
            let process = started(kernel, &actor, 700);
            kernel.enter(&actor, || {
                let thread = kernel.start_thread(&process, NewThread::default());
                kernel.load_image(Some(&process), NewImage::default());
                let opened = kernel.open_process(&process, Open::access(VM_READ));
                opened.expect("nobody refuses it");
                kernel.exit_thread(&thread, 0);
            });
            kernel.exit_process(&process, 0);
            expected.extend([process.key; 6]);
        }
        let events = read(handle, expected.len());
        let seen: Vec<_> = events.records().iter().map(key).collect();
        assert_eq!(seen, expected);
        expected.dedup();
        assert_eq!(expected.len(), 3, "three processes had the pid");
    });
}

#[test]
fn a_process_that_exits_without_a_word_does_not_lend_its_name_to_the_next() {
    with_session(|kernel, handle| {
        let actor = running(kernel, 400);
        // Never had a thread, so nobody is told of its end.
        let silent = started(kernel, &actor, 700);
        kernel.forget_process(&silent);
        let next = started(kernel, &actor, 700);
        kernel.exit_process(&next, 0);
        let events = read(handle, 3);
        let records = events.records();
        let [
            Record::ProcessStart(first),
            Record::ProcessStart(second),
            Record::ProcessExit(exit),
        ] = records[..]
        else {
            panic!("{records:?}");
        };
        assert_eq!((first.pid, first.key), (700, silent.key));
        assert_eq!((second.pid, second.key), (700, next.key));
        assert_eq!((exit.pid, exit.key), (700, next.key));
        assert_eq!(exit.image(), None);
    });
}

/// `STATUS_ACCESS_DENIED`.
const REFUSED: i32 = 0xC000_0022_u32 as i32;

/// Another driver, which is told before or after this one and lets nothing start.
fn refuse_creations(kernel: &Kernel, place: Place) {
    kernel.ps.notify.add_host(place, |_, info| {
        if let Some(info) = info {
            info.CreationStatus = REFUSED;
        }
    });
}

#[test]
fn a_creation_that_another_driver_refuses_later_ends_with_its_status() {
    with_session(|kernel, handle| {
        refuse_creations(kernel, Place::After);
        let actor = running(kernel, 400);
        let refused = kernel.start_process(&actor, numbered(700));
        assert_eq!(refused.expect_err("it is refused"), REFUSED);
        let events = read(handle, 2);
        let records = events.records();
        let [Record::ProcessStart(start), Record::ProcessExit(exit)] = records[..] else {
            panic!("{records:?}");
        };
        assert_eq!(
            start.known(known::CREATION_STATUS, start.creation_status),
            None
        );
        assert_eq!((exit.pid, exit.key), (start.pid, start.key));
        assert_eq!(exit.exit_status, REFUSED as u32);
    });
}

#[test]
fn a_creation_that_was_refused_already_says_so() {
    with_session(|kernel, handle| {
        refuse_creations(kernel, Place::Before);
        let actor = running(kernel, 400);
        let refused = kernel.start_process(&actor, numbered(700));
        refused.expect_err("it is refused");
        let events = read(handle, 2);
        let Record::ProcessStart(start) = events.records()[0] else {
            panic!("{events:?}");
        };
        let status = start.known(known::CREATION_STATUS, start.creation_status);
        assert_eq!(status, Some(REFUSED as u32));
    });
}
