//! Every order in which the accesses of the rings can take effect, in small cases.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p ntwatch-ring --release --test loom`
//!
//! A lost kick shows as a deadlock: the consumer waits and nobody is left to wake it. A missing
//! ordering shows as a race on the bytes of a record (see `src/memory_loom.rs`).
#![cfg(loom)]

use loom::model::Builder;
use loom::sync::{Arc, Notify};
use loom::thread;
use ntwatch_ring::capture::CaptureRing;
use ntwatch_ring::session::{Producer, Until, state};
use ntwatch_ring::{Priority, SessionRing};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// The ring, and the work item that a kick enqueues.
struct Capture {
    ring: CaptureRing<'static>,
    work: Notify,
    kicks: AtomicUsize,
    runs: AtomicUsize,
}

/// Whether a record ends as one.
#[derive(Clone, Copy, PartialEq)]
enum End {
    Commit,
    Discard,
}

impl Capture {
    fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            ring: CaptureRing::new(leak(bytes), 0).unwrap(),
            work: Notify::new(),
            kicks: AtomicUsize::new(0),
            runs: AtomicUsize::new(0),
        })
    }

    fn kick(&self) {
        self.kicks.fetch_add(1, SeqCst);
        self.work.notify();
    }

    /// Puts a record of one or two words, the first of which says which. False if it does not fit.
    fn put(&self, content: u64, end: End) -> bool {
        let content = &[content, content][..1 + content as usize % 2];
        let reserved = self
            .ring
            .reserve(0, 8 * content.len(), Priority::Normal, || self.kick());
        let Ok(mut record) = reserved else {
            return false;
        };
        for (bytes, word) in record.chunks_mut(8).zip(content) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        match end {
            End::Commit => record.commit(),
            End::Discard => record.discard(),
        }
        true
    }

    /// Runs as the worker does, once for each kick, until at least `count` records have come.
    fn take(&self, count: usize) -> Vec<u64> {
        let mut taken = Vec::new();
        while taken.len() < count {
            self.work.wait();
            let mut running = self.ring.consumer();
            self.runs.fetch_add(running.is_some().into(), SeqCst);
            while let Some(mut consumer) = running {
                while let Some(record) = consumer.peek() {
                    taken.push(u64::from_le_bytes(*record.first_chunk().unwrap()));
                    record.release();
                }
                running = consumer.park();
            }
        }
        // Only an end that the consumer did not wait for may have kicked since.
        let (kicks, runs) = (self.kicks.load(SeqCst), self.runs.load(SeqCst));
        assert!(runs == kicks || runs + 1 == kicks);
        taken
    }
}

/// The model runs the case over and over; each time has a few bytes of its own.
fn leak(bytes: usize) -> &'static mut [u64] {
    Box::leak(vec![0; bytes / 8].into_boxed_slice())
}

/// Explores all orders with at most `preemptions` switches that nobody asked for, and no more than
/// `LOOM_MAX_PREEMPTIONS`.
fn explore(preemptions: usize, case: impl Fn() + Sync + Send + 'static) {
    let mut model = Builder::new();
    let most = model.preemption_bound.unwrap_or(preemptions);
    model.preemption_bound = Some(preemptions.min(most));
    model.check(case);
}

fn spawn(capture: &Arc<Capture>, records: &'static [(u64, End)]) -> thread::JoinHandle<()> {
    let capture = capture.clone();
    thread::spawn(move || {
        for (content, end) in records {
            assert!(capture.put(*content, *end));
        }
    })
}

/// The consumer may sleep at the empty ring, or at either record while it is being filled; the
/// records may be committed in either order.
#[test]
fn two_producers_and_no_kick_is_lost() {
    explore(3, || {
        let capture = Capture::new(128);
        let producers = [
            spawn(&capture, &[(1, End::Commit)]),
            spawn(&capture, &[(2, End::Commit)]),
        ];
        let mut taken = capture.take(2);
        taken.sort();
        assert_eq!(taken, [1, 2]);
        for producer in producers {
            producer.join().unwrap();
        }
    });
}

#[test]
fn a_discarded_record_holds_nobody_up() {
    explore(3, || {
        let capture = Capture::new(128);
        let producers = [
            spawn(&capture, &[(1, End::Discard)]),
            spawn(&capture, &[(2, End::Commit)]),
        ];
        assert_eq!(capture.take(1), [2]);
        for producer in producers {
            producer.join().unwrap();
        }
    });
}

#[test]
fn one_producer_keeps_its_order_through_a_sleeping_consumer() {
    explore(4, || {
        let capture = Capture::new(128);
        let producer = spawn(
            &capture,
            &[(1, End::Commit), (2, End::Commit), (3, End::Commit)],
        );
        assert_eq!(capture.take(3), [1, 2, 3]);
        producer.join().unwrap();
    });
}

/// Three records fill the ring. What fits next takes room that the consumer has zeroed, and may
/// learn of it from another producer; its header comes to lie where content was.
#[test]
fn room_is_given_back_before_it_is_taken_again() {
    explore(2, || {
        let capture = Capture::new(64);
        for content in 1..=3 {
            assert!(capture.put(content, End::Commit));
        }
        let producers = [4, 5].map(|content| {
            let capture = capture.clone();
            thread::spawn(move || capture.put(content, End::Commit))
        });
        let mut taken = capture.take(3);
        let mut put = 3;
        for producer in producers {
            put += usize::from(producer.join().unwrap());
        }
        taken.extend(capture.take(put - taken.len()));
        assert_eq!(taken[..3], [1, 2, 3]);
        assert_eq!(taken.len(), put);
    });
}

/// What was written before the call is seen by a run that ends after it.
#[test]
fn a_call_is_not_lost() {
    explore(4, || {
        let capture = Capture::new(64);
        let asked = Arc::new(loom::sync::atomic::AtomicBool::new(false));
        let caller = {
            let (capture, asked) = (capture.clone(), asked.clone());
            thread::spawn(move || {
                asked.store(true, loom::sync::atomic::Ordering::Relaxed);
                if capture.ring.call() {
                    capture.kick();
                }
            })
        };
        let producer = spawn(&capture, &[(1, End::Commit)]);
        let (mut seen, mut taken) = (false, 0);
        while !seen || taken < 1 {
            capture.work.wait();
            let mut running = capture.ring.consumer();
            while let Some(mut consumer) = running {
                seen |= asked.load(loom::sync::atomic::Ordering::Relaxed);
                while let Some(record) = consumer.peek() {
                    taken += 1;
                    record.release();
                }
                running = consumer.park();
            }
        }
        caller.join().unwrap();
        producer.join().unwrap();
    });
}

#[test]
fn a_session_reads_what_the_worker_wrote() {
    explore(4, || {
        let ring = Arc::new(SessionRing::new(leak(64), 0).unwrap());
        let worker = {
            let ring = ring.clone();
            thread::spawn(move || {
                let mut producer = ring.producer().unwrap();
                for last in 1..=4 {
                    while producer.push(&record(last), Priority::Normal).is_err() {
                        thread::yield_now();
                    }
                }
            })
        };
        let mut consumer = ring.consumer().unwrap();
        for last in 1..=4 {
            let found = loop {
                match consumer.peek().unwrap() {
                    Some(record) => break record,
                    None => thread::yield_now(),
                }
            };
            assert_eq!(found, record(last));
            consumer.release();
        }
        worker.join().unwrap();
    });
}

/// A record of a session.
fn record(last: u8) -> [u8; 24] {
    let mut record = [last; 24];
    record[..4].copy_from_slice(&24u32.to_le_bytes());
    record
}

/// A session whose consumer waits for an event, as a client does that has mapped its ring.
struct Mapped {
    ring: SessionRing<'static>,
    event: Notify,
    wakes: AtomicUsize,
    sleeps: AtomicUsize,
}

/// What a consumer that waits for much waits for: two records.
const MUCH: u64 = 48;

impl Mapped {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            ring: SessionRing::new(leak(256), 0).unwrap(),
            event: Notify::new(),
            wakes: AtomicUsize::new(0),
            sleeps: AtomicUsize::new(0),
        })
    }

    /// Writes as the worker does: after each batch it asks once.
    fn write(&self, batches: &[&[u8]]) {
        let mut producer = self.ring.producer().unwrap();
        for batch in batches {
            for last in *batch {
                producer.push(&record(*last), Priority::Normal).unwrap();
            }
            self.wake(&mut producer);
        }
        producer.set_state(state::ENDED);
        self.wake(&mut producer);
    }

    fn wake(&self, producer: &mut Producer<'_>) {
        if producer.must_wake(MUCH) {
            self.wakes.fetch_add(1, SeqCst);
            self.event.notify();
        }
    }

    /// Reads until nothing more comes.
    fn read(&self, until: Until) -> Vec<u8> {
        let mut consumer = self.ring.consumer().unwrap();
        let mut seen = Vec::new();
        loop {
            let ended = consumer.state() == state::ENDED;
            while let Some(record) = consumer.peek().unwrap() {
                seen.push(record[23]);
                consumer.release();
            }
            if ended {
                let (wakes, sleeps) = (self.wakes.load(SeqCst), self.sleeps.load(SeqCst));
                // One for each, and one for the end.
                assert!(wakes <= sleeps + 1, "{wakes} for {sleeps} sleeps");
                return seen;
            }
            // Counted before, as it may be woken at once.
            self.sleeps.fetch_add(1, SeqCst);
            if let Some(_asleep) = consumer.sleep(until) {
                self.event.wait();
            }
        }
    }
}

/// The consumer may fall asleep at the empty ring, between two batches, or behind the first record
/// of a batch whose second one is being written.
#[test]
fn a_consumer_that_sleeps_until_there_is_anything_misses_nothing() {
    explore(3, || {
        let session = Mapped::new();
        let worker = {
            let session = session.clone();
            thread::spawn(move || session.write(&[&[1, 2], &[3]]))
        };
        assert_eq!(session.read(Until::Anything), [1, 2, 3]);
        worker.join().unwrap();
    });
}

#[test]
fn a_consumer_that_sleeps_until_there_is_much_misses_nothing() {
    explore(3, || {
        let session = Mapped::new();
        let worker = {
            let session = session.clone();
            thread::spawn(move || session.write(&[&[1], &[2], &[3]]))
        };
        assert_eq!(session.read(Until::Bytes(MUCH)), [1, 2, 3]);
        worker.join().unwrap();
    });
}
