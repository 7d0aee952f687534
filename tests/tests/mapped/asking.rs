//! Who gets a mapped ring, and what others get. Whatever is refused changes nothing.

use nthost::Kernel;
use nthost::io::{Client, FileHandle};
use nthost::ps::{NewProcess, Open};
use ntwatch_protocol::configure::{MAX_RING_SIZE, MIN_RING_SIZE};
use ntwatch_protocol::ioctl::{
    CONFIGURE, MAP_RING, READ_EVENTS, SHUTDOWN, STATUS_NOT_SUPPORTED, STATUS_SHUTDOWN,
};
use ntwatch_protocol::mapped::{MapRing, MappedRing};
use ntwatch_protocol::record::{KIND_SLOTS, Kind, MAX_RECORD_SIZE};
use ntwatch_ring::session::Until;
use ntwatch_tests::lab::{Lab, PATIENCE};
use ntwatch_tests::machine::{
    boot, client, configure_all, configure_input, everything, live_and_die, load, settled, stats,
    unload,
};
use ntwatch_tests::mapped::{Mapped, map_ring, map_ring_input};
use ntwatch_tests::watcher::{Transport, Watcher};
use std::sync::Arc;
use zerocopy::IntoBytes;

const STATUS_INVALID_HANDLE: i32 = 0xC000_0008_u32 as i32;
const STATUS_INVALID_PARAMETER: i32 = 0xC000_000D_u32 as i32;
const STATUS_BUFFER_TOO_SMALL: i32 = 0xC000_0023_u32 as i32;
const STATUS_OBJECT_TYPE_MISMATCH: i32 = 0xC000_0024_u32 as i32;
const STATUS_ACCESS_DENIED: i32 = 0xC000_0022_u32 as i32;
/// `STATUS_NO_MEMORY`, `STATUS_INSUFFICIENT_RESOURCES`, `STATUS_COMMITMENT_LIMIT`.
const OUT_OF_THEM: [u32; 3] = [0xC000_0017, 0xC000_009A, 0xC000_012D];
const STATUS_INVALID_DEVICE_STATE: i32 = 0xC000_0184_u32 as i32;
const PROCESS_QUERY_INFORMATION: u32 = 0x400;
/// `SYNCHRONIZE`.
const SYNCHRONIZE: u32 = 0x0010_0000;

/// A process with the device open, on a machine whose driver must leave nothing behind.
fn with_client(test: impl FnOnce(&Client, &Arc<FileHandle>)) {
    with_client_of(|_, process, handle| test(process, handle));
}

/// The same, with the machine.
fn with_client_of(test: impl FnOnce(&Arc<Kernel>, &Client, &Arc<FileHandle>)) {
    let kernel = boot();
    let service = load(&kernel, &Lab::get());
    let (process, handle) = client(&kernel);
    test(&kernel, &process, &handle);
    drop(handle);
    unload(service, process);
}

/// What a process has open, but for the device.
fn handles(process: &Client) -> usize {
    process.process().handles.open().len()
}

#[test]
fn a_client_gets_a_ring_of_the_size_that_it_asks_for_and_two_handles() {
    for (wanted, size) in [
        (0, 4 << 20),
        (MIN_RING_SIZE, 1 << 20),
        (MAX_RING_SIZE, 64 << 20),
    ] {
        with_client(|process, handle| {
            let event = process.create_event().expect("an event");
            let sections = map_ring(handle, &map_ring_input(wanted, event)).expect("a ring");
            assert_eq!(sections.ring_size, size);
            assert_eq!(handles(process), 3, "an event and two sections");
            let view = process
                .map_view(sections.ring as usize, false)
                .expect("a view");
            assert_eq!(view.len(), 4096 + size as usize);
            let view = process
                .map_view(sections.consumer as usize, true)
                .expect("a view");
            assert_eq!(view.len(), 4096);
            configure_all(handle);
            let stats = stats(handle);
            assert_eq!((stats.session_ring_size, stats.mapped_sessions), (size, 1));
        });
    }
}

#[test]
fn a_malformed_request_is_refused_and_leaves_no_handle() {
    with_client(|process, handle| {
        let event = process.create_event().expect("an event");
        let good = map_ring_input(MIN_RING_SIZE, event);
        let wrong = [
            MapRing { size: 0, ..good },
            MapRing {
                reserved: 1,
                ..good
            },
            MapRing {
                ring_size: MIN_RING_SIZE / 2,
                ..good
            },
            MapRing {
                ring_size: MIN_RING_SIZE + 8,
                ..good
            },
            MapRing {
                ring_size: 2 * MAX_RING_SIZE,
                ..good
            },
            MapRing {
                wake_bytes: MIN_RING_SIZE / 2 + 1,
                ..good
            },
        ];
        for wrong in wrong {
            assert_eq!(
                map_ring(handle, &wrong),
                Err(STATUS_INVALID_PARAMETER),
                "{wrong:?}"
            );
        }
        let answer = size_of::<MappedRing>();
        let longer = [good.as_bytes(), &[0]].concat();
        for input in [&[][..], &good.as_bytes()[..23], &longer] {
            let done = handle.ioctl(MAP_RING, input, answer);
            let refused = [STATUS_INVALID_PARAMETER, STATUS_BUFFER_TOO_SMALL];
            assert!(
                refused.contains(&done.status),
                "{} bytes: {:#x}",
                input.len(),
                done.status
            );
        }
        let done = handle.ioctl(MAP_RING, good.as_bytes(), answer - 1);
        assert_eq!(done.status, STATUS_BUFFER_TOO_SMALL);
        assert_eq!(handles(process), 1, "the event alone");
        assert_eq!(stats(handle).mapped_sessions, 0);
        assert!(map_ring(handle, &good).is_ok(), "as if nothing had been");
    });
}

#[test]
fn what_is_no_event_of_the_client_s_that_it_may_set_wakes_nobody() {
    with_client_of(|kernel, process, handle| {
        let event = process.create_event().expect("an event");
        let deaf = process
            .duplicate_handle(event, Some(SYNCHRONIZE), process)
            .expect("less than the handle has");
        let itself = process.process();
        let open = || kernel.open_process(itself, Open::access(PROCESS_QUERY_INFORMATION));
        let own_process = kernel.act_as(itself, open).expect("its own process");
        for (event, status) in [
            (0, STATUS_INVALID_HANDLE),
            (0xdead_beec, STATUS_INVALID_HANDLE),
            (0xffff_ffff_8000_0004, STATUS_INVALID_HANDLE),
            (own_process, STATUS_OBJECT_TYPE_MISMATCH),
            (deaf, STATUS_ACCESS_DENIED),
        ] {
            let refused = map_ring(handle, &map_ring_input(0, event));
            assert_eq!(refused, Err(status), "{event:#x}");
        }
        assert_eq!(handles(process), 3);
    });
}

#[test]
fn a_ring_is_mapped_before_it_is_used_and_once() {
    with_client(|process, handle| {
        let mapped = Mapped::new(process, handle, MIN_RING_SIZE);
        let again = map_ring(handle, &map_ring_input(MIN_RING_SIZE, mapped.event()));
        assert_eq!(again, Err(STATUS_INVALID_DEVICE_STATE));
        let other = configure_input(Kind::ALL_EVENTS, 2 * MIN_RING_SIZE, &[]);
        assert_eq!(
            handle.ioctl(CONFIGURE, &other, 0).status,
            STATUS_INVALID_DEVICE_STATE
        );
        configure_all(handle);
        let read = handle.ioctl(READ_EVENTS, &[], MAX_RECORD_SIZE);
        assert_eq!(read.status, STATUS_INVALID_DEVICE_STATE);
    });
    with_client(|process, handle| {
        configure_all(handle);
        let event = process.create_event().expect("an event");
        let late = map_ring(handle, &map_ring_input(0, event));
        assert_eq!(late, Err(STATUS_INVALID_DEVICE_STATE));
        assert_eq!(handles(process), 1);
        assert_eq!(stats(handle).mapped_sessions, 0);
    });
}

#[test]
fn a_32_bit_client_has_to_read() {
    let kernel = boot();
    let service = load(&kernel, &Lab::get());
    let process = kernel.add_process(NewProcess {
        wow64: Some(true),
        token: nthost::se::Token::administrator(),
        ..NewProcess::default()
    });
    let process = Client::new(&kernel, process);
    let handle = process
        .open(r"\??\ntwatch", 0xC000_0000)
        .expect("an administrator");
    let event = process.create_event().expect("an event");
    let refused = map_ring(&handle, &map_ring_input(0, event));
    assert_eq!(refused, Err(STATUS_NOT_SUPPORTED as i32));
    assert_eq!(handles(&process), 1);
    configure_all(&handle);
    drop(handle);
    unload(service, process);
}

/// Whoever has mapped it and waits, before the first CONFIGURE, is told.
#[test]
fn a_ring_that_was_never_used_ends_too() {
    with_client(|process, handle| {
        let mut mapped = Mapped::new(process, handle, 0);
        let event = mapped.event();
        let asleep = mapped
            .asleep(Until::Anything)
            .expect("nothing has happened");
        assert_eq!(handle.ioctl(SHUTDOWN, &[], 0).status, 0);
        assert_eq!(process.wait_event(event, PATIENCE), Ok(true));
        drop(asleep);
        assert!(mapped.take().ended);
        let late = handle.ioctl(CONFIGURE, &everything(0), 0);
        assert_eq!(late.status, STATUS_SHUTDOWN as i32);
    });
}

/// What the last session in the same place has counted is not this one's.
#[test]
fn a_ring_that_is_not_used_yet_has_no_account() {
    with_client_of(|kernel, _, _| {
        let before = Watcher::begin(
            kernel,
            Transport::Mapped,
            MIN_RING_SIZE,
            &everything(MIN_RING_SIZE),
        );
        live_and_die(kernel);
        let _ = settled(&before.handle);
        before.die();
        let (next, place) = client(kernel);
        let _mapped = Mapped::new(&next, &place, 0);
        let stats = stats(&place);
        assert_eq!(stats.session_captured, [0; KIND_SLOTS]);
        assert_eq!(
            (stats.delivered, stats.queued),
            ([0; KIND_SLOTS], [0; KIND_SLOTS])
        );
    });
}

#[test]
fn a_driver_that_is_to_go_maps_nothing_any_more() {
    with_client(|process, handle| {
        assert_eq!(handle.ioctl(SHUTDOWN, &[], 0).status, 0);
        let event = process.create_event().expect("an event");
        let late = map_ring(handle, &map_ring_input(0, event));
        assert_eq!(late, Err(STATUS_SHUTDOWN as i32));
        assert_eq!(handles(process), 1);
    });
}

#[test]
fn whatever_runs_out_nothing_of_a_ring_is_left() {
    const ENOUGH: usize = 100;
    with_client_of(|kernel, process, handle| {
        let event = process.create_event().expect("an event");
        let ask = || map_ring(handle, &map_ring_input(0, event));
        let limit = |sections, views, handles| {
            kernel.mm.set_section_limit(sections);
            kernel.mm.set_view_limit(views);
            process.process().handles.set_limit(handles);
        };
        for (sections, views, handles_too) in [
            (0, ENOUGH, ENOUGH),
            (1, ENOUGH, ENOUGH),
            (ENOUGH, 0, ENOUGH),
            (ENOUGH, 1, ENOUGH),
            (ENOUGH, ENOUGH, 1),
            (ENOUGH, ENOUGH, 2),
        ] {
            limit(sections, views, handles_too);
            let what = format!("{sections} sections, {views} views, {handles_too} handles");
            let refused = ask().expect_err(&what);
            assert!(
                OUT_OF_THEM.contains(&(refused as u32)),
                "{what}: {refused:#x}"
            );
            assert_eq!(handles(process), 1, "{what}: the event");
            assert_eq!(stats(handle).mapped_sessions, 0, "{what}");
        }
        limit(2, 2, 3);
        assert!(ask().is_ok(), "just enough");
    });
}

#[test]
fn sessions_of_both_kinds_are_told_apart_in_the_account() {
    let kernel = boot();
    let service = load(&kernel, &Lab::get());
    let (reads, by_reads) = client(&kernel);
    let (maps, in_place) = client(&kernel);
    let _mapped = Mapped::new(&maps, &in_place, 0);
    let all = everything(0);
    for handle in [&by_reads, &in_place] {
        assert_eq!(handle.ioctl(CONFIGURE, &all, 0).status, 0);
    }
    let seen = stats(&by_reads);
    assert_eq!((seen.sessions, seen.mapped_sessions), (2, 1));
    drop((by_reads, in_place));
    reads.die();
    unload(service, maps);
}
