//! Something comes to an end while something else is under way: callbacks run while the driver is
//! unloaded, events wait for a worker that is held up, in a ring that fills. Threads are held at the
//! driver's own calls, so that each test is about one moment.

use nthost::ps::NewProcess;
use ntwatch_protocol::reader::Records;
use ntwatch_protocol::record::{KIND_SLOTS, Kind, PerKind};
use ntwatch_tests::account::{Tally, assert_accounts_for, assert_counts, assert_counts_every_open};
use ntwatch_tests::activity::every_kind;
use ntwatch_tests::hold::hold;
use ntwatch_tests::lab::Lab;
use ntwatch_tests::machine::{
    EVERY_OPEN, client, configure, configure_all, live_and_die, load, settled, stats, stop,
    try_read,
};
use ntwatch_tests::verify::boot;
use std::thread;

/// Removes the process notify routine, and waits for those that run.
const REMOVE_PROCESS_ROUTINE: &str = "PsSetCreateProcessNotifyRoutineEx2";
const REMOVE_THREAD_ROUTINE: &str = "PsRemoveCreateThreadNotifyRoutine";
/// By these the callbacks take references, between the reserve of a record and its commit.
const REFERENCE_PROCESS: &str = "ObfReferenceObject";
const REFERENCE_THREAD: &str = "PsLookupThreadByThreadId";
/// Of the worker alone.
const ASK_PATH: &str = "SeLocateProcessImageName";

#[test]
fn a_callback_that_runs_while_the_driver_is_unloaded_is_waited_for() {
    for (in_callback, remove) in [
        (REFERENCE_PROCESS, REMOVE_PROCESS_ROUTINE),
        (REFERENCE_THREAD, REMOVE_THREAD_ROUTINE),
    ] {
        let kernel = boot();
        let service = load(&kernel, &Lab::get());
        let (watcher, handle) = client(&kernel);
        configure_all(&handle);
        let callback = hold(&kernel, in_callback);
        let removal = hold(&kernel, remove);
        thread::scope(|scope| {
            scope.spawn(|| every_kind(&kernel, None));
            callback.is_there();
            drop(handle);
            scope.spawn(|| {
                watcher.die();
                stop(&service);
            });
            removal.is_there();
            removal.let_go();
            callback.let_go();
        });
    }
}

#[test]
fn events_that_wait_for_the_worker_while_the_driver_is_unloaded_are_let_go_of() {
    // More than the worker does in one run.
    const PROCESSES: usize = 3000;
    let kernel = boot();
    let service = load(&kernel, &Lab::get());
    let (watcher, handle) = client(&kernel);
    configure_all(&handle);
    let worker = hold(&kernel, ASK_PATH);
    let removal = hold(&kernel, REMOVE_PROCESS_ROUTINE);
    live_and_die(&kernel);
    worker.is_there();
    (0..PROCESSES).for_each(|_| live_and_die(&kernel));
    drop(handle);
    thread::scope(|scope| {
        scope.spawn(|| {
            watcher.die();
            stop(&service);
        });
        removal.is_there();
        removal.let_go();
        worker.let_go();
    });
}

#[test]
fn what_the_capture_ring_has_no_room_for_is_counted_and_announced_and_leaves_nothing() {
    // Command lines of almost 64 KiB: so many of them are more than the ring.
    const PROCESSES: usize = 300;
    const UNITS: usize = 32_000;
    let kernel = boot();
    let service = load(&kernel, &Lab::get());
    let (watcher, handle) = client(&kernel);
    // Starts are captured for whoever listens to anything.
    let mask = Kind::ALL_EVENTS & !Kind::ProcessStart.bit();
    configure(&handle, mask, &[EVERY_OPEN]);
    let worker = hold(&kernel, ASK_PATH);
    live_and_die(&kernel);
    worker.is_there();
    for _ in 0..PROCESSES {
        let new = NewProcess {
            command_line: Some("x".repeat(UNITS)),
            ..NewProcess::default()
        };
        let process = kernel.start_process(&kernel.ps.system, new);
        kernel.exit_process(&process.expect("nobody refuses it"), 0);
    }
    every_kind(&kernel, None);
    let before = stats(&handle);
    // All but exits, which are short, and have a share of the ring that others may not use.
    for kind in Kind::EVENTS
        .into_iter()
        .filter(|kind| *kind != Kind::ProcessExit)
    {
        assert_ne!(before.capture_lost[kind.index()], 0, "{} fits", kind.name());
    }
    worker.let_go();

    let account = settled(&handle);
    assert_counts(&account, &kernel);
    assert_counts_every_open(&account, &kernel);
    let mut tally = Tally::default();
    loop {
        let records = try_read(&handle).expect("there is no reason to refuse");
        if records.is_empty() {
            break;
        }
        for record in Records::new(&records) {
            tally.add(&record.expect("the driver writes records"));
        }
    }
    let asked_for = |lost: &PerKind| {
        let mut lost: [u64; KIND_SLOTS] = *lost;
        lost[Kind::ProcessStart.index()] = 0;
        lost
    };
    assert_eq!(tally.capture_lost, asked_for(&account.capture_lost));
    assert_accounts_for(&stats(&handle), &tally);
    drop(handle);
    watcher.die();
    stop(&service);
}
