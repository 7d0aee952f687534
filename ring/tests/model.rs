//! Both rings against models that could not be simpler, over any sequence of steps.
#![cfg(not(loom))]

use ntwatch_ring::capture::{CaptureRing, Reservation};
use ntwatch_ring::session::PushError;
use ntwatch_ring::{Full, Priority, SessionRing};
use proptest::prelude::*;
use std::cell::Cell;
use std::collections::VecDeque;

const CAPACITY: usize = 256;
const RESERVED: usize = 64;

#[derive(Clone, Debug)]
enum Step {
    Reserve(Vec<u8>, Priority),
    /// Ends one of the open reservations.
    End {
        which: usize,
        commit: bool,
    },
    Take,
    Park,
}

fn priority() -> impl Strategy<Value = Priority> {
    prop_oneof![Just(Priority::Normal), Just(Priority::High)]
}

/// Content that would be taken for headers, given a chance.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![Just(0xff), Just(0x80), any::<u8>()];
    (0usize..140, byte).prop_map(|(len, byte)| vec![byte; len])
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (content(), priority()).prop_map(|(content, priority)| Step::Reserve(content, priority)),
        3 => (any::<usize>(), any::<bool>()).prop_map(|(which, commit)| Step::End { which, commit }),
        3 => Just(Step::Take),
        1 => Just(Step::Park),
    ]
}

/// One reservation, or the padding before it, as the model has it.
struct Entry {
    number: u32,
    content: Vec<u8>,
    /// None while it is being filled; then, is it a record? Padding never is one.
    end: Option<bool>,
    /// Bytes in the ring.
    size: usize,
}

/// What should be in the ring: who reserved, in order.
#[derive(Default)]
struct Model {
    entries: VecDeque<Entry>,
    head: usize,
}

impl Model {
    /// The bytes of padding, and of a record of `len` bytes that was reserved now.
    fn place(&self, len: usize, priority: Priority) -> Result<[usize; 2], Full> {
        let size = 8 + len.next_multiple_of(8);
        let to_end = CAPACITY - self.head % CAPACITY;
        let padding = if size <= to_end { 0 } else { to_end };
        let used: usize = self.entries.iter().map(|entry| entry.size).sum();
        let usable = match priority {
            Priority::Normal => CAPACITY - RESERVED,
            Priority::High => CAPACITY,
        };
        if size > CAPACITY / 2 || used + padding + size > usable {
            return Err(Full);
        }
        Ok([padding, size])
    }

    /// Drops the discarded ones that the consumer passes on its way to a record.
    fn skip(&mut self) {
        while self
            .entries
            .front()
            .is_some_and(|entry| entry.end == Some(false))
        {
            self.entries.pop_front();
        }
    }

    /// The record that the consumer should see.
    fn front(&self) -> Option<&Entry> {
        self.entries.front().filter(|entry| entry.end == Some(true))
    }
}

proptest! {
    #[test]
    fn the_capture_ring_is_a_queue_of_reservations(steps in prop::collection::vec(step(), 0..200)) {
        let mut memory = [0; CAPACITY / 8];
        let ring = CaptureRing::new(&mut memory, RESERVED).unwrap();
        let kicks = Cell::new(0);
        let mut model = Model::default();
        let mut open: Vec<(u32, Reservation<'_, _>)> = Vec::new();
        let mut consumer = { assert!(ring.call()); ring.consumer() };

        for (number, step) in (0..).zip(steps) {
            match step {
                Step::Reserve(content, priority) => {
                    let expected = model.place(content.len(), priority);
                    let reserved = ring.reserve(number, content.len(), priority, || {
                        kicks.set(kicks.get() + 1);
                    });
                    prop_assert_eq!(reserved.as_ref().err().copied(), expected.err());
                    let (Ok(mut record), Ok([padding, size])) = (reserved, expected) else { continue };
                    prop_assert!(record.iter().all(|byte| *byte == 0));
                    record.copy_from_slice(&content);
                    open.push((number, record));
                    model.head += padding + size;
                    if padding > 0 {
                        model.entries.push_back(Entry { number, content: Vec::new(), end: Some(false), size: padding });
                    }
                    model.entries.push_back(Entry { number, content, end: None, size });
                }
                Step::End { which, commit } if !open.is_empty() => {
                    let (number, record) = open.swap_remove(which % open.len());
                    let first = model.entries.iter().find(|entry| entry.end.is_none());
                    let first = first.is_some_and(|entry| entry.number == number);
                    let before = kicks.get();
                    if commit { record.commit() } else { record.discard() }
                    // A sleeper sleeps at the oldest reservation, so only its end kicks.
                    let asleep = consumer.is_none();
                    prop_assert_eq!(kicks.get() - before, u32::from(asleep && first));
                    if asleep && first {
                        consumer = ring.consumer();
                        prop_assert!(consumer.is_some());
                    }
                    for entry in &mut model.entries {
                        if entry.number == number && entry.end.is_none() { entry.end = Some(commit) }
                    }
                }
                Step::Take => {
                    let Some(consumer) = &mut consumer else { continue };
                    model.skip();
                    let record = consumer.peek();
                    let expected = model.front();
                    prop_assert_eq!(
                        record.as_ref().map(|record| (record.tag(), record.to_vec())),
                        expected.map(|entry| (entry.number, entry.content.clone()))
                    );
                    if let Some(record) = record {
                        record.release();
                        model.entries.pop_front();
                    }
                }
                Step::Park => {
                    let Some(running) = consumer.take() else { continue };
                    let awake = model.entries.front().is_some_and(|entry| entry.end.is_some());
                    consumer = running.park();
                    prop_assert_eq!(consumer.is_some(), awake);
                }
                Step::End { .. } => {}
            }
        }
    }

    #[test]
    fn the_session_ring_is_a_queue(
        steps in prop::collection::vec(prop::option::of((1usize..20, priority())), 0..300),
    ) {
        let mut memory = [0; CAPACITY / 8];
        let ring = SessionRing::new(&mut memory, RESERVED).unwrap();
        let (mut producer, mut consumer) = (ring.producer().unwrap(), ring.consumer().unwrap());
        let mut queue = VecDeque::new();
        let (mut head, mut tail) = (0, 0);

        for (number, step) in (0u8..=255).cycle().zip(steps) {
            let Some((words, priority)) = step else {
                let record = consumer.peek().unwrap();
                let expected = queue.pop_front();
                prop_assert_eq!(
                    record.map(<[u8]>::to_vec),
                    expected.as_ref().map(|(record, _): &(Vec<u8>, usize)| record.clone())
                );
                consumer.release();
                consumer.publish();
                if let Some((_, end)) = expected {
                    tail = end;
                }
                continue;
            };
            let mut record = vec![number; 8 * words];
            let size = record.len();
            record[..4].copy_from_slice(&(size as u32).to_le_bytes());
            let to_end = CAPACITY - head % CAPACITY;
            let end = head + size + if size <= to_end { 0 } else { to_end };
            let usable = match priority {
                Priority::Normal => CAPACITY - RESERVED,
                Priority::High => CAPACITY,
            };
            let fits = size <= CAPACITY / 2 && end - tail <= usable;
            prop_assert_eq!(producer.fits(size, priority), fits);
            let expected = if fits { Ok(()) } else { Err(PushError::Full(Full)) };
            prop_assert_eq!(producer.push(&record, priority), expected);
            if fits {
                head = end;
                queue.push_back((record, end));
            }
            prop_assert_eq!((producer.written(), producer.read()), (head as u64, tail as u64));
        }
    }
}
