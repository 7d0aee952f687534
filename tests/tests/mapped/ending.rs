//! However a client with a mapped ring ends, and whatever it keeps: the driver can go, and leaves
//! nothing behind.

use nthost::io::Client;
use ntwatch_protocol::configure::MIN_RING_SIZE;
use ntwatch_protocol::ioctl::SHUTDOWN;
use ntwatch_protocol::reader::Records;
use ntwatch_protocol::record::KIND_SLOTS;
use ntwatch_ring::session::Until;
use ntwatch_tests::account::{Tally, assert_accounts_for};
use ntwatch_tests::lab::{Lab, stderr, until};
use ntwatch_tests::machine::{
    boot, client, configure_all, everything, live_and_die, load, settled, stats, unload,
};
use ntwatch_tests::mapped::{map_ring, map_ring_input};
use ntwatch_tests::watcher::{Transport, Watcher};
use std::process::Stdio;
use std::time::Duration;

/// Until there is something in the ring.
fn wait_for_records(watcher: &Watcher) {
    until("a record", || {
        (stats(&watcher.handle).queued != [0; KIND_SLOTS]).then_some(())
    });
}

#[test]
fn a_client_can_die_at_any_step() {
    const STEPS: usize = 6;
    let kernel = boot();
    let service = load(&kernel, &Lab::get());
    for last in 0..STEPS {
        let (process, handle) = client(&kernel);
        let event = process.create_event().expect("an event");
        if last == 0 {
            process.die();
            continue;
        }
        let sections = map_ring(&handle, &map_ring_input(0, event)).expect("a ring");
        if last == 1 {
            process.die();
            continue;
        }
        let view = process
            .map_view(sections.ring as usize, false)
            .expect("a view");
        if last == 2 {
            process.die();
            continue;
        }
        drop((view, process, handle));

        let mut watcher = Watcher::begin(
            &kernel,
            Transport::Mapped,
            MIN_RING_SIZE,
            &everything(MIN_RING_SIZE),
        );
        if last >= 4 {
            live_and_die(&kernel);
            wait_for_records(&watcher);
        }
        let mapped = watcher.mapped.as_mut().expect("a mapped ring");
        if last >= 5 {
            let _ = mapped.take();
            // It says that it sleeps, for ever.
            std::mem::forget(mapped.asleep(Until::Anything));
        }
        watcher.die();
        live_and_die(&kernel);
    }
    let (last, handle) = client(&kernel);
    drop(handle);
    unload(service, last);
}

#[test]
fn a_view_outlives_the_handle_the_session_and_the_driver() {
    let kernel = boot();
    let service = load(&kernel, &Lab::get());
    let mut watcher = Watcher::begin(
        &kernel,
        Transport::Mapped,
        MIN_RING_SIZE,
        &everything(MIN_RING_SIZE),
    );
    live_and_die(&kernel);
    let _ = settled(&watcher.handle);
    let mut mapped = watcher.mapped.take().expect("a mapped ring");
    drop(watcher.handle);
    // Another session takes the place.
    let next = Watcher::begin(
        &kernel,
        Transport::Mapped,
        MIN_RING_SIZE,
        &everything(MIN_RING_SIZE),
    );
    live_and_die(&kernel);
    wait_for_records(&next);
    let written = mapped.ring().load(0);
    mapped.word().store(0, written / 2);
    next.die();
    unload(service, watcher.process);

    mapped.word().store(0, 0);
    let taken = mapped.take();
    assert!(taken.ended);
    assert_eq!(
        taken.records.len() as u64,
        written,
        "of its own session, and whole"
    );
}

#[test]
fn duplicates_in_another_process_hold_nothing_up() {
    let kernel = boot();
    let service = load(&kernel, &Lab::get());
    let (process, handle) = client(&kernel);
    let event = process.create_event().expect("an event");
    let sections = map_ring(&handle, &map_ring_input(0, event)).expect("a ring");
    configure_all(&handle);
    let heir = Client::new(&kernel, kernel.add_process(Default::default()));
    let give = |handle| {
        process
            .duplicate_handle(handle, None, &heir)
            .expect("a duplicate")
    };
    let (ring, consumer, event) = (
        give(sections.ring as usize),
        give(sections.consumer as usize),
        give(event),
    );
    drop(handle);
    process.die();
    let ring = heir.map_view(ring, false).expect("a view of its own");
    let consumer = heir.map_view(consumer, true).expect("a view of its own");
    consumer.store(0, u64::MAX);
    live_and_die(&kernel);

    let (last, handle) = client(&kernel);
    drop(handle);
    unload(service, last);
    assert_eq!(ring.load(8), 1, "the session has ended");
    assert_eq!(
        heir.wait_event(event, Duration::ZERO),
        Ok(true),
        "and says so"
    );
}

/// A client that is behind when it is told still learns what it missed.
#[test]
fn what_is_missing_is_said_though_the_driver_is_told_to_go() {
    let kernel = boot();
    let service = load(&kernel, &Lab::get());
    let mut watcher = Watcher::begin(
        &kernel,
        Transport::Mapped,
        MIN_RING_SIZE,
        &everything(MIN_RING_SIZE),
    );
    until("the ring to be full", || {
        (0..100).for_each(|_| live_and_die(&kernel));
        // The worker keeps up, so that the session loses and not the capture.
        (settled(&watcher.handle).session_lost != [0; KIND_SLOTS]).then_some(())
    });
    assert_eq!(watcher.handle.ioctl(SHUTDOWN, &[], 0).status, 0);
    let mut tally = Tally::default();
    for record in Records::new(&watcher.rest()) {
        tally.add(&record.expect("the driver writes records"));
    }
    assert_accounts_for(&stats(&watcher.handle), &tally);
    unload(service, watcher.leave());
}

/// Real processes, killed at whatever moment it is.
#[test]
fn clients_that_are_killed_take_nothing_with_them() {
    const KILLED: u64 = 30;
    let lab = Lab::get();
    let machine = lab.serve(["--storm", "10000000", "--mix", "threads,images,handles"]);
    let device = machine.device();
    let watch = |for_how_long: &str| {
        let arguments = ["watch", "--transport", "mapped", "--format", "jsonl"];
        let mut watch = lab.ntwatch(Some(&device), arguments);
        watch.args(["--for", for_how_long]).stdout(Stdio::null());
        watch
    };
    for number in 0..KILLED {
        let mut client = watch("1h")
            .stderr(Stdio::null())
            .spawn()
            .expect("ntwatch starts");
        std::thread::sleep(Duration::from_millis(number * 5));
        let ended = client.try_wait().expect("it can be waited for");
        assert_eq!(ended, None, "it still watches");
        client.kill().expect("it can be killed");
        client.wait().expect("it ends");
    }
    let after = watch("300ms").output().expect("ntwatch runs");
    assert!(after.status.success(), "{}", stderr(&after));
    assert!(
        stderr(&after).contains("The account balances"),
        "{}",
        stderr(&after)
    );
    let (clean, log) = machine.stop();
    assert!(clean, "the driver left something behind:\n{log}");
}
