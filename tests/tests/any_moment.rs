//! Something happens at each moment of a request, one after the other: the thread that makes it is
//! held at each of the driver's calls in turn.

use nthost::Kernel;
use nthost::verify::{Call, Decision, Watch};
use ntwatch_protocol::configure::{Clause, MIN_RING_SIZE};
use ntwatch_protocol::ioctl::CONFIGURE;
use ntwatch_protocol::record::Kind;
use ntwatch_protocol::wide::Wide;
use ntwatch_tests::lab::Lab;
use ntwatch_tests::machine::{
    client, configure_all, configure_input, end_of, everything, live_and_die, load, stats, stop,
    submit_read, unload,
};
use ntwatch_tests::verify::{add, boot};
use ntwatch_tests::watchdog::watched;
use ntwatch_tests::watcher::{Transport, Watcher};
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, ThreadId};
use std::time::Duration;

/// What has not ended by then waits for a lock of the thread that is held.
const WAITS_FOR_IT: Duration = Duration::from_millis(100);

/// Holds one thread at one of the calls that it makes.
struct Holder {
    thread: Mutex<Option<ThreadId>>,
    /// Calls to come before that one.
    before: AtomicU32,
    /// Is it held, or is it past?
    held: mpsc::Sender<bool>,
    go_on: Mutex<mpsc::Receiver<()>>,
}

impl Holder {
    /// Holds this thread in `body`, if it makes so many calls.
    fn within<R>(&self, body: impl FnOnce() -> R) -> R {
        let whom = |thread| *self.thread.lock().expect("nobody fails with it") = thread;
        whom(Some(thread::current().id()));
        let result = panic::catch_unwind(AssertUnwindSafe(body));
        whom(None);
        // If it fails, too: somebody waits for it.
        let _ = self.held.send(false);
        result.unwrap_or_else(|panic| panic::resume_unwind(panic))
    }
}

impl Watch for Holder {
    fn enter(&self, _: &Call<'_>) -> Decision {
        let thread = *self.thread.lock().expect("nobody fails with it");
        if thread == Some(thread::current().id())
            && self.before.fetch_sub(1, Ordering::Relaxed) == 0
        {
            let _ = self.held.send(true);
            // A test that fails lets go, too.
            let _ = self.go_on.lock().expect("nobody fails with it").recv();
        }
        Decision::Call
    }
}

/// Lets `act` make `call` calls, then holds it until `meanwhile` has ended or waits for it. What
/// `act` gives; and, if it makes so many, whether `meanwhile` ended first.
fn hold_at<R: Send>(
    kernel: &Kernel,
    call: u32,
    act: impl FnOnce() -> R + Send,
    meanwhile: impl FnOnce() + Send,
) -> (R, Option<bool>) {
    let (held, is_held) = mpsc::channel();
    let (may_go_on, go_on) = mpsc::channel();
    let holder = Arc::new(Holder {
        thread: Mutex::new(None),
        before: AtomicU32::new(call),
        held,
        go_on: Mutex::new(go_on),
    });
    add(kernel, &holder);
    thread::scope(|scope| {
        let acting = scope.spawn(|| holder.within(act));
        let there = is_held.recv().expect("it is held, or past");
        let (end, ended) = mpsc::channel();
        scope.spawn(move || {
            meanwhile();
            let _ = end.send(());
        });
        let ended_first = there.then(|| {
            let ended = ended.recv_timeout(WAITS_FOR_IT);
            may_go_on.send(()).expect("it is held");
            ended.is_ok()
        });
        (acting.join().expect("it ends"), ended_first)
    })
}

/// Goes through the calls of what `hold_at` holds, which says what [`hold_at`] does.
fn at_every_call(mut hold_at: impl FnMut(u32) -> Option<bool>) {
    let held = |call| watched(format!("held at call {call}"), || hold_at(call));
    let ended_first: Vec<_> = (0..).map_while(held).collect();
    assert!(ended_first.len() > 10, "it makes too few: {ended_first:?}");
    assert!(ended_first.contains(&true), "nothing ever came between");
}

#[test]
fn an_event_that_comes_at_any_moment_of_a_read_is_brought_by_it() {
    at_every_call(|call| {
        let kernel = boot();
        let service = load(&kernel, &Lab::get());
        let (process, handle) = client(&kernel);
        configure_all(&handle);
        let read = || submit_read(&handle);
        let (read, there) = hold_at(&kernel, call, read, || live_and_die(&kernel));
        assert_eq!(end_of(&read).status, 0, "held at call {call}");
        drop(read);
        drop(handle);
        process.die();
        stop(&service);
        there
    });
}

#[test]
fn a_session_that_begins_at_any_moment_of_the_end_of_another_keeps_what_it_has() {
    at_every_call(|call| {
        let kernel = boot();
        let service = load(&kernel, &Lab::get());
        let begin = || Watcher::begin(&kernel, Transport::Read, 0, &everything(MIN_RING_SIZE));
        let before = begin();
        let mut after = None;
        let end = || before.handle.close();
        let (_, there) = hold_at(&kernel, call, end, || after = Some(begin()));
        let mut after = after.expect("it has begun");
        live_and_die(&kernel);
        assert!(after.wait().is_some(), "held at call {call}");
        assert_eq!(stats(&after.handle).session_ring_size, MIN_RING_SIZE);
        before.die();
        unload(service, after.leave());
        there
    });
}

/// Refuses one allocation, after so many.
struct Shortage(AtomicU32);

impl Watch for Shortage {
    fn enter(&self, call: &Call<'_>) -> Decision {
        const NULL: u64 = 0;
        let is_allocation = call.export.name == "ExAllocatePool2";
        match is_allocation && self.0.fetch_sub(1, Ordering::Relaxed) == 0 {
            true => Decision::Return(NULL),
            false => Decision::Call,
        }
    }
}

#[test]
fn a_configure_for_which_memory_is_short_can_be_asked_again() {
    const STATUS_INSUFFICIENT_RESOURCES: i32 = 0xC000_009A_u32 as i32;
    // The pattern takes memory of its own.
    let pattern: Vec<u8> = "*.scr".bytes().flat_map(|byte| [byte, 0]).collect();
    let clauses = [Clause::ExcludeImage(Wide::new(&pattern))];
    let input = configure_input(Kind::ALL_EVENTS, MIN_RING_SIZE, &clauses);
    let is_short_after = |allocations| {
        let kernel = boot();
        let service = load(&kernel, &Lab::get());
        let (process, handle) = client(&kernel);
        let shortage = Arc::new(Shortage(AtomicU32::new(allocations)));
        add(&kernel, &shortage);
        let done = handle.ioctl(CONFIGURE, &input, 0);
        shortage.0.store(u32::MAX, Ordering::Relaxed);
        let is_short = done.status == STATUS_INSUFFICIENT_RESOURCES;
        assert!(is_short || done.status == 0, "{:#x}", done.status);
        if is_short {
            let again = handle.ioctl(CONFIGURE, &input, 0);
            assert_eq!(again.status, 0, "after {allocations} allocations");
        }
        assert_eq!(stats(&handle).session_ring_size, MIN_RING_SIZE);
        drop(handle);
        process.die();
        stop(&service);
        is_short
    };
    let allocations = (0..).take_while(|number| is_short_after(*number)).count();
    assert!(allocations > 2, "a CONFIGURE takes {allocations}");
}
