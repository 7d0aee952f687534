//! Thread start and exit.

use crate::{numbered, running, started};
use nthost::ps::NewThread;
use ntwatch_protocol::process::subsystem;
use ntwatch_protocol::reader::Record;
use ntwatch_protocol::thread::{flags, known};
use ntwatch_tests::machine::{behind_the_worker, read, with_session};

fn thread(id: u32, start_address: u64) -> NewThread {
    NewThread {
        id: Some(id),
        start_address,
        ..NewThread::default()
    }
}

#[test]
fn a_thread_that_another_process_starts_is_remote_unless_it_is_the_first() {
    with_session(|kernel, handle| {
        let parent = running(kernel, 400);
        let injector = running(kernel, 404);
        let child = started(kernel, &parent, 408);
        kernel.enter(&parent, || kernel.start_thread(&child, thread(4080, 1)));
        kernel.enter(&child, || kernel.start_thread(&child, thread(4084, 2)));
        kernel.enter(&injector, || kernel.start_thread(&child, thread(4088, 3)));
        // It ran before anybody listened, so it has a first thread already.
        kernel.enter(&injector, || kernel.start_thread(&parent, thread(4000, 4)));
        // It began since, and the driver was not told: this may be its first.
        let unheard = kernel.add_process(numbered(412));
        kernel.enter(&injector, || kernel.start_thread(&unheard, thread(4120, 5)));

        let events = read(handle, 6);
        let mut seen = Vec::new();
        for record in &events.records()[1..] {
            let Record::ThreadStart(start) = record else {
                panic!("{record:?}");
            };
            assert_ne!(start.creator_tid, 0);
            seen.push((
                (start.pid, start.known(known::KEY, start.key)),
                start.tid,
                (
                    start.creator_pid,
                    start.known(known::CREATOR_KEY, start.creator_key),
                ),
                start.known(known::REMOTE, start.flag(flags::REMOTE)),
            ));
        }
        let [parent, injector, child, unheard] =
            [&parent, &injector, &child, &unheard].map(|process| (process.id, Some(process.key)));
        let expected = [
            (child, 4080, parent, Some(false)),
            (child, 4084, child, Some(false)),
            (child, 4088, injector, Some(true)),
            (parent, 4000, injector, Some(true)),
            (unheard, 4120, injector, None),
        ];
        assert_eq!(seen, expected);
    });
}

#[test]
fn a_thread_has_its_start_address_and_subsystem_and_ends_with_its_status() {
    with_session(|kernel, handle| {
        let process = running(kernel, 400);
        kernel.enter(&process, || {
            let thread = kernel.start_thread(&process, thread(404, 0x7FF8_9C86_5EA0));
            kernel.exit_thread(&thread, 0xC000_013A_u32 as i32);
            // A request for the callback at APC_LEVEL, as it may come.
            kernel.at_apc_level(|| kernel.start_thread(&process, NewThread::default()));
        });
        let events = read(handle, 3);
        let records = events.records();
        let [
            Record::ThreadStart(start),
            Record::ThreadExit(exit),
            Record::ThreadStart(bare),
        ] = records[..]
        else {
            panic!("{records:?}");
        };
        let address = start.known(known::START_ADDRESS, start.start_address);
        assert_eq!(address, Some(0x7FF8_9C86_5EA0));
        let subsystem = start.known(known::SUBSYSTEM, start.subsystem);
        assert_eq!(subsystem, Some(subsystem::WIN32));
        assert_eq!((exit.pid, exit.tid, exit.key), (400, 404, process.key));
        assert_eq!(exit.exit_status, 0xC000_013A);
        assert_eq!(bare.known(known::START_ADDRESS, bare.start_address), None);
    });
}

#[test]
fn a_thread_that_is_gone_before_the_worker_looks_is_still_told_of_whole() {
    with_session(|kernel, handle| {
        let process = running(kernel, 400);
        let key = process.key;
        let events = behind_the_worker(kernel, handle, 3, || {
            kernel.enter(&process, || {
                let thread = kernel.start_thread(&process, thread(404, 0x1234));
                kernel.exit_thread(&thread, 0);
            });
            kernel.exit_process(&process, 0);
            drop(process);
        });
        let records = events.records();
        let [
            Record::ThreadStart(start),
            Record::ThreadExit(exit),
            Record::ProcessExit(_),
        ] = records[..]
        else {
            panic!("{records:?}");
        };
        // The record's reference keeps the thread for the worker.
        assert_eq!((start.tid, start.start_address), (404, 0x1234));
        assert_eq!(start.known(known::KEY, start.key), Some(key));
        assert_eq!((exit.tid, exit.key), (404, key));
    });
}
