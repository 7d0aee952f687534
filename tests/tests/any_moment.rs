//! Something happens at each moment of a request, one after the other: the thread that makes it is
//! held at each of the driver's calls in turn.

use nthost::Kernel;
use nthost::io::{FileHandle, Ticket};
use nthost::ps::NewProcess;
use nthost::verify::{Call, Decision, Stack, Watch};
use ntwatch_lab_figures::tell;
use ntwatch_protocol::configure::{Clause, MIN_RING_SIZE};
use ntwatch_protocol::ioctl::{
    CONFIGURE, GET_STATS, MAP_RING, PROTECT_ADD, PROTECT_LIST, PROTECT_REMOVE, READ_EVENTS,
    SHUTDOWN, Stats,
};
use ntwatch_protocol::mapped::MappedRing;
use ntwatch_protocol::protect::{Listed, MAX_RULES, Rule, Target};
use ntwatch_protocol::record::{Kind, MAX_RECORD_SIZE};
use ntwatch_protocol::wide::Wide;
use ntwatch_tests::lab::Lab;
use ntwatch_tests::machine::{
    client, configure_all, configure_input, debugger, end_of, everything, live_and_die, load,
    stats, stop, submit_read, unload,
};
use ntwatch_tests::mapped::map_ring_input;
use ntwatch_tests::verify::{add, boot};
use ntwatch_tests::watchdog::watched;
use ntwatch_tests::watcher::{Transport, Watcher};
use std::collections::HashMap;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, ThreadId};
use std::time::Duration;
use zerocopy::IntoBytes;

/// What has not ended by then most likely waits for the thread that is held, which goes on.
const WAITS_FOR_IT: Duration = Duration::from_millis(25);

/// So many calls from one stack are moments, more are not: the driver goes through a table.
const FROM_ONE_STACK: u32 = 4;

/// Holds one thread at one of the calls that it makes.
struct Holder {
    thread: Mutex<Option<ThreadId>>,
    /// How many calls came from each stack.
    seen: Mutex<HashMap<Stack, u32>>,
    /// Moments to come before that one.
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

    fn is_moment(&self, call: &Call<'_>) -> bool {
        let mut seen = self.seen.lock().expect("nobody fails with it");
        let from_here = seen.entry(call.stack()).or_default();
        *from_here += 1;
        *from_here <= FROM_ONE_STACK
    }
}

impl Watch for Holder {
    fn enter(&self, call: &Call<'_>) -> Decision {
        let thread = *self.thread.lock().expect("nobody fails with it");
        if thread == Some(thread::current().id())
            && self.is_moment(call)
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
        seen: Mutex::default(),
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

/// Goes through the calls of what `hold_at` holds, which says what [`hold_at`] does. How many there
/// are.
fn at_every_call(mut hold_at: impl FnMut(u32) -> Option<bool>) -> usize {
    let held = |call| watched(format!("held at call {call}"), || hold_at(call));
    let ended_first: Vec<_> = (0..).map_while(held).collect();
    assert!(ended_first.contains(&true), "nothing ever came between");
    ended_first.len()
}

#[test]
fn an_event_that_comes_at_any_moment_of_a_read_is_brought_by_it() {
    let calls = at_every_call(|call| {
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
    assert!(calls > 10, "it makes {calls}");
}

#[test]
fn a_session_that_begins_at_any_moment_of_the_end_of_another_keeps_what_it_has() {
    let calls = at_every_call(|call| {
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
    assert!(calls > 10, "it makes {calls}");
}

/// What a client is killed in, and what it has asked for before.
const KILLED_IN: [(u32, &[u32]); 10] = [
    (CONFIGURE, &[]),
    (CONFIGURE, &[MAP_RING]),
    (READ_EVENTS, &[CONFIGURE]),
    (MAP_RING, &[]),
    (GET_STATS, &[CONFIGURE]),
    (GET_STATS, &[MAP_RING, CONFIGURE]),
    (PROTECT_ADD, &[]),
    (PROTECT_LIST, &[PROTECT_ADD]),
    (PROTECT_REMOVE, &[PROTECT_ADD]),
    (SHUTDOWN, &[CONFIGURE]),
];

/// Makes a request, with the input and the room that it takes: of an event of the client's, of a
/// process to be protected.
fn ask(handle: &FileHandle, code: u32, event: usize, target: Target) -> Result<Ticket, i32> {
    let (input, room) = match code {
        CONFIGURE => (everything(MIN_RING_SIZE), 0),
        READ_EVENTS => (Vec::new(), MAX_RECORD_SIZE),
        MAP_RING => {
            let input = map_ring_input(MIN_RING_SIZE, event);
            (input.as_bytes().to_vec(), size_of::<MappedRing>())
        }
        GET_STATS => (Vec::new(), size_of::<Stats>()),
        PROTECT_ADD => {
            let rule = Rule {
                target,
                process: 1,
                thread: 0,
            };
            (rule.as_bytes().to_vec(), 0)
        }
        PROTECT_LIST => (Vec::new(), MAX_RULES * size_of::<Listed>()),
        PROTECT_REMOVE => (target.as_bytes().to_vec(), 0),
        SHUTDOWN => (Vec::new(), 0),
        _ => unreachable!("{code:#x} is no request"),
    };
    handle.submit(code, &input, room)
}

#[test]
fn a_client_that_is_killed_at_any_moment_of_any_request_leaves_nothing_behind() {
    let lab = Lab::get();
    let mut calls = 0;
    for (code, before) in KILLED_IN {
        calls += at_every_call(|call| {
            let what = format!("{code:#x} after {before:x?}, held at call {call}");
            let kernel = boot();
            let service = load(&kernel, &lab);
            let (process, handle) = debugger(&kernel);
            let event = process.create_event().expect("a process may have an event");
            let protected = kernel.add_process(NewProcess::default());
            let target = Target {
                key: protected.key,
                pid: protected.id,
                reserved: 0,
            };
            let ask = |code| ask(&handle, code, event, target);
            for code in before {
                let done = ask(*code).expect("the handle is open").wait();
                assert_eq!(done.status, 0, "{code:#x}, before {what}");
            }
            live_and_die(&kernel);
            let (asked, there) = hold_at(&kernel, call, || ask(code), || process.die());
            let status = end_of(&asked.expect("the handle was open")).status;
            assert!(status <= 0, "{what}: {status:#x}");
            // Nobody is told of it, or the driver is in the way of it.
            live_and_die(&kernel);
            drop(handle);
            stop(&service);
            there
        });
    }
    tell("moments of requests to be killed in", calls as u64, "calls");
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
