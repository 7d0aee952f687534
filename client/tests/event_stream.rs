//! The events of a session as a `Stream`, by an executor that others wrote.

mod common;

use common::fake::{Fake, running};
use common::machine::{AtEnd, Machine};
use common::records::{Start, exit, start};
use futures::executor::block_on;
use futures::{Stream, StreamExt};
use ntwatch_client::{Body, Driver, End, Error, EventStream, Filter};
use std::panic::resume_unwind;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

/// Long enough on any machine for what would otherwise never end.
const LIMIT: Duration = Duration::from_secs(60);

/// Fails where what is tested never ends.
fn that_ends(test: impl FnOnce() + Send + 'static) {
    let (ended, end) = mpsc::channel();
    let tester = thread::spawn(move || {
        test();
        // Nobody may listen any more.
        let _ = ended.send(());
    });
    match end.recv_timeout(LIMIT) {
        Err(RecvTimeoutError::Timeout) => panic!("it did not end in {LIMIT:?}"),
        Ok(()) | Err(RecvTimeoutError::Disconnected) => {
            tester.join().unwrap_or_else(|panic| resume_unwind(panic));
        }
    }
}

fn start_and_exit() -> Machine {
    let Start { pid, key, .. } = Start::default();
    Machine::new([start(0, &Start::default()), exit(1, pid, key)])
}

fn stream(fake: Fake) -> EventStream {
    fake.watch(&Filter::new()).into_stream()
}

#[test]
fn a_stream_has_the_events_of_the_iterator_and_ends_with_it() {
    let fake = || Fake::new(start_and_exit());
    let expected: Vec<_> = fake().watch(&Filter::new()).map(Result::unwrap).collect();
    let mut stream = stream(fake());
    let events = block_on(stream.by_ref().map(Result::unwrap).collect::<Vec<_>>());
    assert_eq!(events, expected);
    assert!(block_on(stream.next()).is_none(), "it stays ended");
    assert_eq!(stream.into_watch().end(), Some(End::DriverShutdown));
}

#[test]
fn who_waits_is_woken_by_an_event_and_by_the_end() {
    that_ends(|| {
        let mut fake = Fake::new(Machine {
            at_end: AtEnd::Pend,
            ..Machine::new([])
        });
        let ring = fake.grant_ring();
        let mut stream = stream(fake);
        let first = block_on(stream.by_ref().take(2).collect::<Vec<_>>());
        assert_eq!(first.len(), 2, "the session and what runs");
        thread::scope(|scope| {
            let next = scope.spawn(|| block_on(stream.next()));
            ring.lock().unwrap().push(&start(0, &Start::default()));
            let event = next.join().unwrap().unwrap().unwrap();
            assert!(matches!(event.body, Body::ProcessStart(_)));
        });
        let stopper = stream.stopper();
        thread::scope(|scope| {
            let next = scope.spawn(|| block_on(stream.next()));
            stopper.stop();
            assert!(next.join().unwrap().is_none());
        });
        assert_eq!(stream.into_watch().end(), Some(End::Stopped));
    });
}

#[test]
fn an_error_comes_behind_the_events_before_it() {
    let batch = [start(0, &Start::default()), vec![0xff; 40]].concat();
    let items: Vec<_> = block_on(stream(Fake::new(Machine::new([batch]))).collect());
    let (last, before) = items.split_last().unwrap();
    assert!(matches!(last, Err(Error::Record { .. })), "{last:?}");
    assert_eq!(before.len(), 3);
    assert!(before.iter().all(Result::is_ok));
}

/// An exit of the process 4 as often as is said, each read by itself.
fn many(count: u64) -> Arc<Fake> {
    let mut fake = Fake::new(Machine {
        at_end: AtEnd::Pend,
        ..Machine::new((0..count).map(|nth| exit(nth, 4, 1)))
    });
    fake.before = vec![running(4, 1, "System")];
    Arc::new(fake)
}

fn delivered(fake: &Fake) -> u64 {
    fake.machine.lock().unwrap().stats.delivered.iter().sum()
}

#[test]
fn what_is_not_taken_stays_in_the_driver() {
    that_ends(|| {
        /// What may lie between the driver and who polls: events that wait, and buffers of reads.
        const BETWEEN: u64 = 1024 + 8;
        const COUNT: u64 = 20_000;
        let fake = many(COUNT);
        let driver = Driver::over("fake", fake.clone()).unwrap();
        let mut stream = driver.watch(&Filter::new()).unwrap().into_stream();
        while delivered(&fake) < 1024 {
            thread::yield_now();
        }
        for taken in 0..COUNT {
            assert!(delivered(&fake) <= taken + BETWEEN, "at {taken}");
            block_on(stream.next()).unwrap().unwrap();
        }
    });
}

#[test]
fn dropping_a_stream_closes_the_driver_whatever_it_waits_for() {
    that_ends(|| {
        for count in [0, 20_000] {
            let fake = many(count);
            let driver = Driver::over("fake", fake.clone()).unwrap();
            let mut stream = driver.watch(&Filter::new()).unwrap().into_stream();
            block_on(stream.next()).unwrap().unwrap();
            drop(stream);
            // By the thread that reads, in its own time.
            while Arc::strong_count(&fake) > 1 {
                thread::yield_now();
            }
        }
    });
}

/// Whoever is woken takes until the door is opened.
struct Slow(Arc<Mutex<()>>);

impl Wake for Slow {
    fn wake(self: Arc<Self>) {
        drop(self.0.lock());
    }
}

#[test]
fn dropping_a_stream_does_not_wait_for_the_thread_that_reads() {
    that_ends(|| {
        let mut fake = Fake::new(Machine {
            at_end: AtEnd::Pend,
            ..Machine::new([])
        });
        let (ring, door) = (fake.grant_ring(), Arc::default());
        let mut stream = stream(fake);
        block_on(stream.by_ref().take(2).collect::<Vec<_>>());
        let closed = Mutex::lock(&door).unwrap();
        let waker = Waker::from(Arc::new(Slow(Arc::clone(&door))));
        let polled = stream.poll_next_unpin(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        ring.lock().unwrap().push(&start(0, &Start::default()));
        drop(stream);
        drop(closed);
    });
}

#[test]
fn a_stream_can_be_moved_anywhere() {
    fn assert<T: Stream + Send + Unpin + 'static>() {}
    assert::<EventStream>();
}
