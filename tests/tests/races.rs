//! A read is cancelled while it completes, and completes while it is cancelled: it ends once, and
//! no event is lost by it.

use nthost::Kernel;
use nthost::io::{FileHandle, Moment, Stop};
use ntwatch_protocol::ioctl::READ_EVENTS;
use ntwatch_protocol::reader::{Record, Records};
use ntwatch_protocol::record::{Kind, MAX_RECORD_SIZE};
use ntwatch_tests::account::assert_balances;
use ntwatch_tests::lab::Lab;
use ntwatch_tests::machine::{boot, client, configure_all, live_and_die, load, stats};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

const STATUS_CANCELLED: i32 = 0xC000_0120_u32 as i32;

/// Runs `test` with a session that sees everything, and unloads the driver behind it.
fn with_session(test: impl FnOnce(&Arc<Kernel>, &Arc<FileHandle>)) {
    let kernel = boot();
    let service = load(&kernel, &Lab::get());
    let (watcher, handle) = client(&kernel);
    configure_all(&handle);
    test(&kernel, &handle);
    drop(handle);
    watcher.die();
    // As on Windows, a request may hold its file for a moment after its waiter is told.
    let leaks = match service.stop() {
        Stop::Stopped(leaks) => leaks,
        Stop::Pending { .. } => service.wait(),
        Stop::Refused => panic!("the driver cannot be unloaded"),
    };
    assert!(leaks.is_empty(), "{leaks}");
}

/// Stops the first read at `moment` until the returned sender says go on.
fn stop_at(kernel: &Kernel, moment: Moment) -> (mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (reached, at_moment) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel();
    let may_go_on = std::sync::Mutex::new(may_go_on);
    let once = AtomicBool::new(true);
    kernel.io.observe(move |now, packet| {
        let is_it = now == moment && packet.control_code == READ_EVENTS;
        if is_it && once.swap(false, Ordering::Relaxed) {
            let _ = reached.send(());
            let _ = may_go_on.lock().expect("no thread fails here").recv();
        }
    });
    (at_moment, go_on)
}

fn starts_and_exits(bytes: &[u8]) -> usize {
    let records = Records::new(bytes).map(|record| record.expect("the driver writes records"));
    records
        .filter(|record| !matches!(record, Record::Lost(_)))
        .count()
}

#[test]
fn a_read_that_is_completing_is_not_cancelled_any_more() {
    with_session(|kernel, handle| {
        let (completing, go_on) = stop_at(kernel, Moment::Completing);
        let read = handle
            .submit(READ_EVENTS, &[], MAX_RECORD_SIZE)
            .expect("a read");
        live_and_die(kernel);
        completing.recv().expect("the worker completes the read");
        assert!(!read.cancel(), "the driver has taken it off its queue");
        go_on.send(()).expect("the worker waits");
        let done = read.wait();
        assert_eq!(done.status, 0);
        assert!(starts_and_exits(&done.output) > 0);
    });
}

#[test]
fn a_read_that_is_being_cancelled_takes_no_event_with_it() {
    with_session(|kernel, handle| {
        let (cancelling, go_on) = stop_at(kernel, Moment::Cancelling);
        let read = handle
            .submit(READ_EVENTS, &[], MAX_RECORD_SIZE)
            .expect("a read");
        std::thread::scope(|scope| {
            scope.spawn(|| assert!(read.cancel(), "it was in the queue"));
            cancelling.recv().expect("the cancel has begun");
            // The worker finds the read in its queue, and must leave it to the cancel.
            live_and_die(kernel);
            while stats(handle).queued[Kind::ProcessExit.index()] == 0 {
                std::thread::yield_now();
            }
            assert!(!read.is_complete());
            go_on.send(()).expect("the cancel waits");
        });
        assert_eq!(read.wait().status, STATUS_CANCELLED);
        let next = handle.ioctl(READ_EVENTS, &[], MAX_RECORD_SIZE);
        assert_eq!(
            starts_and_exits(&next.output),
            2,
            "the events wait for the next read"
        );
    });
}

#[test]
fn reads_cancelled_at_any_moment_lose_no_event() {
    const ROUNDS: usize = 2000;
    with_session(|kernel, handle| {
        let (mut seen, mut cancelled) = (0, 0);
        std::thread::scope(|scope| {
            let activity = scope.spawn(|| (0..ROUNDS).for_each(|_| live_and_die(kernel)));
            while !activity.is_finished() || seen < 2 * ROUNDS {
                let read = handle
                    .submit(READ_EVENTS, &[], MAX_RECORD_SIZE)
                    .expect("a read");
                read.cancel();
                let done = read.wait();
                match done.status {
                    0 => seen += starts_and_exits(&done.output),
                    STATUS_CANCELLED => cancelled += 1,
                    status => panic!("{status:#x}"),
                }
            }
        });
        assert_eq!(seen, 2 * ROUNDS);
        assert!(
            cancelled > 0,
            "no read was cancelled: the test shows nothing"
        );
        assert_balances(&stats(handle));
    });
}
