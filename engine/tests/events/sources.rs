//! What events about threads, images and handles tell.

use crate::machine::{Machine, SYSTEM};
use crate::wish::Wish;
use crate::{CAPTURE_RING, NOW, SESSION_RING, records, wide};
use ntwatch_engine::account::of;
use ntwatch_engine::capture::{HandleOpen, ImageLoad};
use ntwatch_engine::process_table::ProcessId;
use ntwatch_protocol::access::process::{TERMINATE, VM_READ};
use ntwatch_protocol::process::subsystem;
use ntwatch_protocol::reader::{Record, View};
use ntwatch_protocol::record::{Kind, MAX_RECORD_SIZE};
use ntwatch_protocol::thread::{self, ThreadStart};
use ntwatch_protocol::wide::Wide;
use ntwatch_protocol::{handle, image};

const CHILD: ProcessId = ProcessId { pid: 8, key: 2 };
const OTHER: ProcessId = ProcessId { pid: 20, key: 3 };

/// A library that is mapped into a process.
pub(crate) fn load(process: ProcessId, name: Option<&[u8]>) -> ImageLoad<'_> {
    ImageLoad {
        pid: process.pid,
        key: Some(process.key),
        time: NOW,
        base: 0x7FFE_0000_0000,
        size: 0x1_0000,
        flags: 0,
        signature_level: 12,
        signature_type: 3,
        name,
    }
}

/// An open that gets what it asks for.
pub(crate) fn open(source: ProcessId, target: ProcessId, access: u32) -> HandleOpen {
    HandleOpen {
        time: NOW,
        source_pid: source.pid,
        source_tid: 12,
        source_key: source.key,
        target_pid: target.pid,
        target_tid: 0,
        target_key: target.key,
        attached: None,
        duplicate: None,
        original: access,
        desired: access,
        granted: Some(access),
        status: 0,
        flags: 0,
    }
}

/// The thread starts that come of `happen`, each as the test looks at it.
fn thread_starts<T>(
    happen: impl FnOnce(&mut Machine),
    look: impl Fn(&View<'_, ThreadStart>) -> T,
) -> Vec<T> {
    let mut machine = Machine::new(CAPTURE_RING);
    let session = machine.listen(SESSION_RING, &Wish::everything());
    happen(&mut machine);
    machine.work_to_the_end();
    let bytes = machine.read(session, MAX_RECORD_SIZE);
    let starts = records(&bytes)
        .iter()
        .filter_map(|record| match record {
            Record::ThreadStart(start) => Some(look(start)),
            _ => None,
        })
        .collect();
    machine.assert_balanced();
    assert_eq!(machine.unload(), 0);
    starts
}

fn remote(happen: impl FnOnce(&mut Machine)) -> Vec<bool> {
    thread_starts(happen, |start| {
        assert_eq!(start.known(thread::known::REMOTE, ()), Some(()));
        start.flag(thread::flags::REMOTE)
    })
}

#[test]
fn the_first_thread_of_a_process_is_not_remote_and_the_next_from_outside_is() {
    let told = remote(|machine| {
        machine.start(CHILD.pid, CHILD.key, "");
        machine.thread(CHILD, 16, SYSTEM);
        machine.thread(CHILD, 20, SYSTEM);
        machine.thread(CHILD, 24, CHILD);
    });
    assert_eq!(told, [false, true, false]);
}

#[test]
fn a_process_that_was_not_seen_to_start_has_threads_already() {
    assert_eq!(remote(|machine| machine.thread(OTHER, 16, SYSTEM)), [true]);
}

#[test]
fn whether_a_thread_is_remote_is_not_known_if_the_start_of_its_process_was_lost() {
    let mut machine = Machine::new(CAPTURE_RING);
    let remote = Wish {
        remote_threads: true,
        ..Wish::only(Kind::ThreadStart.bit())
    };
    let session = machine.listen(SESSION_RING, &remote);
    let lost = (8..)
        .step_by(4)
        .map(|pid| ProcessId { pid, key: 2 })
        .find(|process| {
            machine.start(process.pid, process.key, "");
            of(&machine.capture.account().lost(), Kind::ProcessStart) != 0
        })
        .unwrap();
    machine.windows.process_create_time = NOW - 1;
    machine.work_to_the_end();
    machine.thread(lost, 16, SYSTEM);
    machine.thread(lost, 20, lost);
    machine.work_to_the_end();
    let bytes = machine.read(session, MAX_RECORD_SIZE);
    let told: Vec<_> = records(&bytes)
        .iter()
        .filter_map(|record| match record {
            Record::ThreadStart(start) => Some((start.tid, start.known & thread::known::REMOTE)),
            _ => None,
        })
        .collect();
    assert_eq!(told, [(16, 0)], "better one too many");
}

#[test]
fn who_did_not_create_a_process_does_not_start_its_first_thread() {
    let told = remote(|machine| {
        machine.start(CHILD.pid, CHILD.key, "");
        machine.thread(CHILD, 16, OTHER);
    });
    assert_eq!(told, [true]);
}

#[test]
fn a_first_thread_that_nobody_listened_to_is_not_waited_for() {
    let mut machine = Machine::new(CAPTURE_RING);
    let session = machine.listen(SESSION_RING, &Wish::only(Kind::PROCESS_EVENTS));
    machine.start(CHILD.pid, CHILD.key, "");
    machine.thread(CHILD, 16, SYSTEM);
    machine.change(session, &Wish::only(Kind::ThreadStart.bit()));
    machine.thread(CHILD, 20, SYSTEM);
    machine.work_to_the_end();
    let bytes = machine.read(session, MAX_RECORD_SIZE);
    let [Record::ThreadStart(start)] = records(&bytes)[..] else {
        panic!("the second thread alone");
    };
    assert!(start.flag(thread::flags::REMOTE));
}

#[test]
fn where_a_thread_starts_is_known_only_by_its_reference() {
    let told = thread_starts(
        |machine| {
            machine.thread(OTHER, 16, OTHER);
            machine.thread(OTHER, 24, OTHER);
        },
        |start| start.known(thread::known::START_ADDRESS, start.start_address),
    );
    assert_eq!(told, [Some(16 << 16), None]);
}

#[test]
fn whose_a_thread_is_follows_from_its_process_or_is_asked_for() {
    let told = thread_starts(
        |machine| {
            machine.start(CHILD.pid, CHILD.key, "");
            machine.thread(CHILD, 16, SYSTEM);
            machine.thread(CHILD, 24, CHILD);
            machine.thread(OTHER, 16, OTHER);
            machine.thread(OTHER, 24, OTHER);
        },
        |start| start.known(thread::known::SUBSYSTEM, start.subsystem),
    );
    // Windows says "WSL" whenever it is asked, and cannot be asked about thread 24.
    let [win32, wsl] = [subsystem::WIN32, subsystem::WSL].map(Some);
    assert_eq!(told, [win32, win32, wsl, None]);
}

#[test]
fn a_thread_exit_tells_whose_it_was_and_how_it_ended() {
    let mut machine = Machine::new(CAPTURE_RING);
    let session = machine.listen(SESSION_RING, &Wish::everything());
    machine.thread_exit(OTHER, 16);
    machine.work_to_the_end();
    let bytes = machine.read(session, MAX_RECORD_SIZE);
    let [Record::ThreadExit(exit)] = records(&bytes)[..] else {
        panic!("one exit");
    };
    assert_eq!((exit.pid, exit.key), (OTHER.pid, OTHER.key));
    assert_eq!((exit.tid, exit.exit_status, exit.header.time), (16, 7, NOW));
}

#[test]
fn an_image_load_tells_what_the_callback_saw_and_null_for_the_rest() {
    let mut machine = Machine::new(CAPTURE_RING);
    let session = machine.listen(SESSION_RING, &Wish::everything());
    let name = wide(r"\Device\HarddiskVolume3\odd.dll");
    machine.image(&load(OTHER, Some(&name)));
    machine.image(&ImageLoad {
        pid: 0,
        key: None,
        base: 0,
        size: 0,
        flags: image::flags::KERNEL,
        ..load(OTHER, None)
    });
    machine.work_to_the_end();
    let bytes = machine.read(session, MAX_RECORD_SIZE);
    let [Record::ImageLoad(user), Record::ImageLoad(kernel)] = records(&bytes)[..] else {
        panic!("two loads");
    };
    let all = image::known::PID | image::known::KEY | image::known::BASE | image::known::SIZE;
    assert_eq!((user.known, user.flags), (all, 0));
    assert_eq!((user.pid, user.key), (OTHER.pid, OTHER.key));
    assert_eq!((user.base, user.size), (0x7FFE_0000_0000, 0x1_0000));
    assert_eq!((user.signature_level, user.signature_type), (12, 3));
    assert_eq!(user.name(), Some(Wide::new(&name)));
    assert_eq!((kernel.known, kernel.name()), (0, None));
    assert!(kernel.flag(image::flags::KERNEL));
}

#[test]
fn an_open_tells_who_asked_for_what_and_what_came_of_it() {
    let mut machine = Machine::new(CAPTURE_RING);
    let session = machine.listen(SESSION_RING, &Wish::everything());
    machine.open_handle(&HandleOpen {
        desired: VM_READ,
        granted: Some(VM_READ),
        ..open(OTHER, CHILD, VM_READ | TERMINATE)
    });
    machine.open_handle(&HandleOpen {
        target_tid: 16,
        attached: Some(SYSTEM),
        duplicate: Some((SYSTEM, CHILD)),
        granted: None,
        status: 0xC000_0022,
        flags: handle::flags::THREAD | handle::flags::DUPLICATE,
        ..open(OTHER, CHILD, TERMINATE)
    });
    machine.work_to_the_end();
    let bytes = machine.read(session, MAX_RECORD_SIZE);
    let [Record::HandleOpen(create), Record::HandleOpen(duplicate)] = records(&bytes)[..] else {
        panic!("two opens");
    };
    let keys = handle::known::SOURCE_KEY | handle::known::TARGET_KEY;
    assert_eq!(create.known, keys | handle::known::GRANTED);
    assert_eq!((create.source_pid, create.source_tid), (OTHER.pid, 12));
    assert_eq!(
        (create.target_pid, create.target_key),
        (CHILD.pid, CHILD.key)
    );
    assert_eq!(create.original & !create.desired, TERMINATE);
    assert_eq!(create.granted, VM_READ);
    let rare = handle::known::ATTACHED | handle::known::DUPLICATE;
    assert_eq!(duplicate.known, keys | rare);
    assert_eq!((duplicate.attached_pid, duplicate.attached_key), (4, 1));
    assert_eq!((duplicate.from_pid, duplicate.from_key), (4, 1));
    assert_eq!((duplicate.to_pid, duplicate.to_key), (CHILD.pid, CHILD.key));
    assert_eq!((duplicate.target_tid, duplicate.status), (16, 0xC000_0022));
}
