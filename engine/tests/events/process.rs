//! What a process event tells.

use crate::machine::Machine;
use crate::wish::Wish;
use crate::{CAPTURE_RING, NOW, SESSION_RING, records, wide};
use ntwatch_engine::capture::ProcessStart;
use ntwatch_engine::process_table::ProcessId;
use ntwatch_protocol::process::known;
use ntwatch_protocol::reader::Record;
use ntwatch_protocol::record::{FIRST_SEQ, MAX_RECORD_SIZE};
use ntwatch_protocol::wide::Wide;

#[test]
fn a_start_tells_what_the_callback_saw_and_what_the_worker_found() {
    let mut machine = Machine::new(CAPTURE_RING);
    let session = machine.listen(SESSION_RING, &Wish::everything());
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
    assert_eq!(start.known(known::CREATION_STATUS, 0), None);
}

#[test]
fn facts_of_a_process_that_is_gone_already_are_null() {
    let mut machine = Machine::new(CAPTURE_RING);
    let session = machine.listen(SESSION_RING, &Wish::everything());
    machine.start(12, 1, "");
    machine.exit(12, 1);
    machine.work_to_the_end();
    let bytes = machine.read(session, MAX_RECORD_SIZE);
    let [Record::ProcessStart(start), Record::ProcessExit(exit)] = records(&bytes)[..] else {
        panic!("a start and an exit");
    };
    assert_eq!((start.image_path(), start.user()), (None, None));
    assert_eq!(start.known & !(known::PARENT_KEY | known::CREATOR_KEY), 0);
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
    let session = machine.listen(SESSION_RING, &Wish::everything());
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
fn the_longest_strings_of_windows_fit_into_a_record() {
    let mut machine = Machine::new(CAPTURE_RING);
    let session = machine.listen(SESSION_RING, &Wish::everything());
    machine.start(8, 1, &"x".repeat(32767));
    machine.work_to_the_end();
    assert_eq!(records(&machine.read(session, MAX_RECORD_SIZE)).len(), 1);
}

#[test]
fn what_another_driver_has_refused_a_creation_with_is_told() {
    let mut machine = Machine::new(CAPTURE_RING);
    let session = machine.listen(SESSION_RING, &Wish::everything());
    machine.offer_start(&ProcessStart {
        id: ProcessId { pid: 8, key: 2 },
        time: NOW,
        create_time: NOW,
        parent_pid: 4,
        parent_key: None,
        creator_pid: 4,
        creator_tid: 8,
        creator_key: None,
        image_exact: false,
        subsystem_process: true,
        creation_status: 0xC000_0022_u32 as i32,
        image_name: None,
        command_line: None,
    });
    machine.work_to_the_end();
    let bytes = machine.read(session, MAX_RECORD_SIZE);
    let [Record::ProcessStart(start)] = records(&bytes)[..] else {
        panic!("one start");
    };
    let status = start.known(known::CREATION_STATUS, start.creation_status);
    assert_eq!(status, Some(0xC000_0022));
    assert_eq!((start.image_name(), start.command_line()), (None, None));
    assert_eq!(start.known & (known::PARENT_KEY | known::CREATOR_KEY), 0);
}
