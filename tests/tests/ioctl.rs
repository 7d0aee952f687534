//! What the device answers to requests that are wrong, early, late or too many. Each gets the
//! right NTSTATUS and changes nothing.

use ntwatch_protocol::PROTOCOL_MAJOR;
use ntwatch_protocol::configure::{ConfigureHeader, MIN_RING_SIZE};
use ntwatch_protocol::ioctl::{
    self, CONFIGURE, GET_STATS, GET_VERSION, MAX_PENDED_READS, MAX_SESSIONS, READ_EVENTS, SHUTDOWN,
    STATUS_SHUTDOWN, STATUS_TOO_MANY_SESSIONS, Stats, Version,
};
use ntwatch_protocol::record::{Kind, MAX_RECORD_SIZE};
use ntwatch_tests::lab::{Lab, Machine, until};
use ntwatch_tests::raw::{READ, READ_WRITE, Raw};
use zerocopy::{FromBytes, IntoBytes};

const STATUS_SUCCESS: u32 = 0;
const STATUS_INVALID_PARAMETER: u32 = 0xC000_000D;
const STATUS_INVALID_DEVICE_REQUEST: u32 = 0xC000_0010;
const STATUS_ACCESS_DENIED: u32 = 0xC000_0022;
const STATUS_BUFFER_TOO_SMALL: u32 = 0xC000_0023;
const STATUS_OBJECT_NAME_NOT_FOUND: u32 = 0xC000_0034;
const STATUS_INSUFFICIENT_RESOURCES: u32 = 0xC000_009A;
const STATUS_CANCELLED: u32 = 0xC000_0120;
const STATUS_INVALID_DEVICE_STATE: u32 = 0xC000_0184;

/// A machine on which nothing happens, and what it says after the test: no trace of the driver.
fn on_a_quiet_machine(test: impl FnOnce(&Machine)) {
    let machine = Lab::get().serve::<&str>([]);
    test(&machine);
    let (clean, log) = machine.stop();
    assert!(clean, "the driver left something behind:\n{log}");
}

fn configure(event_mask: u32, ring_size: u32) -> ConfigureHeader {
    let size = size_of::<ConfigureHeader>() as u32;
    ConfigureHeader {
        size,
        event_mask,
        ring_size,
        clauses: 0,
    }
}

#[test]
fn the_driver_says_which_protocol_it_speaks() {
    on_a_quiet_machine(|machine| {
        let done = Raw::open_device(machine).control(GET_VERSION, &[], size_of::<Version>());
        assert_eq!(done.status, STATUS_SUCCESS);
        let version = Version::read_from_bytes(&done.output).expect("a whole version");
        assert_eq!(version.protocol_major, PROTOCOL_MAJOR);
        assert_eq!(version.kinds, Kind::ALL_EVENTS);
        assert_ne!(version.driver_load_id, 0);
    });
}

#[test]
fn a_buffer_of_the_wrong_size_is_refused() {
    on_a_quiet_machine(|machine| {
        let mut raw = Raw::open_device(machine);
        let short = |size| size - 1;
        assert_eq!(
            raw.control(GET_VERSION, &[], 0).status,
            STATUS_BUFFER_TOO_SMALL
        );
        let done = raw.control(GET_VERSION, &[], short(size_of::<Version>()));
        assert_eq!(
            (done.status, done.information),
            (STATUS_BUFFER_TOO_SMALL, 0)
        );
        let done = raw.control(GET_STATS, &[], short(size_of::<Stats>()));
        assert_eq!(
            (done.status, done.information),
            (STATUS_BUFFER_TOO_SMALL, 0)
        );
        raw.configure_all(0);
        let done = raw.control(READ_EVENTS, &[], short(MAX_RECORD_SIZE));
        assert_eq!(
            (done.status, done.information),
            (STATUS_BUFFER_TOO_SMALL, 0)
        );
        assert_eq!(
            raw.control(READ_EVENTS, &[], 0).status,
            STATUS_BUFFER_TOO_SMALL
        );
        assert_eq!(raw.stats().pended_reads, 0);
    });
}

#[test]
fn a_malformed_configure_is_refused_and_changes_nothing() {
    on_a_quiet_machine(|machine| {
        let mut raw = Raw::open_device(machine);
        let good = configure(Kind::ALL_EVENTS, MIN_RING_SIZE);
        let wrong = [
            Vec::new(),
            good.as_bytes()[..15].to_vec(),
            [good.as_bytes(), &[0; 8]].concat(),
            configure(0, 0).as_bytes().to_vec(),
            configure(1 << 31, 0).as_bytes().to_vec(),
            configure(Kind::ALL_EVENTS, 4096).as_bytes().to_vec(),
            configure(Kind::ALL_EVENTS, MIN_RING_SIZE + 1)
                .as_bytes()
                .to_vec(),
            vec![0xFF; 4096],
        ];
        for input in wrong {
            let done = raw.control(CONFIGURE, &input, 0);
            assert_eq!(done.status, STATUS_INVALID_PARAMETER, "{input:x?}");
            assert_eq!(raw.stats().session_ring_size, 0, "{input:x?} left a ring");
        }
        assert_eq!(
            raw.control(CONFIGURE, good.as_bytes(), 0).status,
            STATUS_SUCCESS
        );
        assert_eq!(raw.stats().session_ring_size, MIN_RING_SIZE);
    });
}

#[test]
fn a_ring_keeps_its_size_for_the_life_of_its_session() {
    on_a_quiet_machine(|machine| {
        let mut raw = Raw::open_device(machine);
        raw.configure_all(MIN_RING_SIZE);
        let other = configure(Kind::ALL_EVENTS, MIN_RING_SIZE * 2);
        let done = raw.control(CONFIGURE, other.as_bytes(), 0);
        assert_eq!(done.status, STATUS_INVALID_DEVICE_STATE);
        raw.configure_all(MIN_RING_SIZE);
        raw.configure_all(0);
        assert_eq!(raw.stats().session_ring_size, MIN_RING_SIZE);
    });
}

#[test]
fn a_read_before_configure_is_out_of_order() {
    on_a_quiet_machine(|machine| {
        let mut raw = Raw::open_device(machine);
        assert_eq!(raw.read_events().status, STATUS_INVALID_DEVICE_STATE);
    });
}

#[test]
fn an_unknown_code_is_no_request() {
    on_a_quiet_machine(|machine| {
        let mut raw = Raw::open_device(machine);
        for code in [0, GET_VERSION + 4 * 64, READ_EVENTS | 1, !3] {
            let status = raw.control(code, &[], 4096).status;
            // An unknown code may also ask for rights that the handle has not.
            assert_eq!(status, STATUS_INVALID_DEVICE_REQUEST, "{code:#x}");
        }
    });
}

#[test]
fn a_handle_for_reading_may_not_shut_the_driver_down() {
    on_a_quiet_machine(|machine| {
        let mut raw = Raw::open(machine, ioctl::WIN32_NAME, READ).expect("reading is allowed");
        assert_eq!(raw.control(SHUTDOWN, &[], 0).status, STATUS_ACCESS_DENIED);
        raw.configure_all(0);
    });
}

#[test]
fn a_fifth_pended_read_is_one_too_many() {
    on_a_quiet_machine(|machine| {
        let mut raw = Raw::open_device(machine);
        raw.configure_all(0);
        let pended: Vec<_> = (0..MAX_PENDED_READS)
            .map(|_| raw.submit(READ_EVENTS, &[], MAX_RECORD_SIZE))
            .collect();
        assert_eq!(raw.read_events().status, STATUS_INSUFFICIENT_RESOURCES);
        assert_eq!(raw.stats().pended_reads, MAX_PENDED_READS);
        for tag in pended {
            raw.cancel(tag);
            assert_eq!(raw.wait(tag).status, STATUS_CANCELLED);
        }
        assert_eq!(raw.stats().pended_reads, 0);
    });
}

#[test]
fn a_seventeenth_session_is_refused_until_another_ends() {
    on_a_quiet_machine(|machine| {
        let mut sessions: Vec<_> = (0..MAX_SESSIONS)
            .map(|_| Raw::open_device(machine))
            .collect();
        let refused = Raw::open(machine, ioctl::WIN32_NAME, READ_WRITE).err();
        assert_eq!(refused, Some(STATUS_TOO_MANY_SESSIONS));
        assert_eq!(sessions[0].stats().sessions, MAX_SESSIONS as u32);
        drop(sessions.pop());
        // The death of a process is seen by nthost a moment later.
        until("the place of an ended session", || {
            Raw::open(machine, ioctl::WIN32_NAME, READ_WRITE).ok()
        });
    });
}

#[test]
fn shutdown_ends_pended_reads_and_refuses_new_work() {
    on_a_quiet_machine(|machine| {
        let mut watcher = Raw::open_device(machine);
        watcher.configure_all(0);
        let pended = watcher.submit(READ_EVENTS, &[], MAX_RECORD_SIZE);
        assert_eq!(watcher.stats().pended_reads, 1);

        let mut stopper = Raw::open_device(machine);
        assert_eq!(stopper.control(SHUTDOWN, &[], 0).status, STATUS_SUCCESS);
        assert_eq!(watcher.wait(pended).status, STATUS_SHUTDOWN);
        assert_eq!(watcher.read_events().status, STATUS_SHUTDOWN);
        let again = configure(Kind::ALL_EVENTS, 0);
        assert_eq!(
            watcher.control(CONFIGURE, again.as_bytes(), 0).status,
            STATUS_SHUTDOWN
        );
        let refused = Raw::open(machine, ioctl::WIN32_NAME, READ_WRITE).err();
        assert_eq!(refused, Some(STATUS_SHUTDOWN));
        assert_eq!(watcher.control(GET_VERSION, &[], 64).status, STATUS_SUCCESS);
        watcher.stats();
    });
}

#[test]
fn a_name_that_no_device_has_is_not_found() {
    on_a_quiet_machine(|machine| {
        let refused = Raw::open(machine, r"\\.\ntwitch", READ_WRITE).err();
        assert_eq!(refused, Some(STATUS_OBJECT_NAME_NOT_FOUND));
    });
}
