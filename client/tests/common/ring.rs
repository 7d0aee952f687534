//! The driver's side of a mapped ring.

use crate::common::machine::{AtEnd, Machine};
use ntwatch_client::protocol::ioctl::{CONFIGURE, GET_STATS, READ_EVENTS};
use ntwatch_client::protocol::mapped::{CONSUMER_SIZE, DATA_OFFSET};
use ntwatch_client::protocol::reader::Records;
use ntwatch_ring::session::{Producer, state};
use ntwatch_ring::{Priority, SessionRing};
use std::collections::VecDeque;
use std::ptr::NonNull;

/// Bytes of every such ring, whatever was asked for.
pub(crate) const RING_SIZE: u32 = 1 << 16;
/// Bytes at which a reader is woken who waits for many.
pub(crate) const WAKE_BYTES: u32 = RING_SIZE / 4;

/// Memory that holds a ring and its consumer's page, and is never given back: the reader may have
/// it still when the driver is gone.
#[derive(Clone, Copy)]
pub(crate) struct Shared {
    pub(crate) ring: NonNull<u8>,
    pub(crate) consumer: NonNull<u8>,
}

// SAFETY: addresses of memory that stays; who reads or writes there answers for it.
unsafe impl Send for Shared {}

impl Shared {
    /// Of this process alone, all zero.
    pub(crate) fn new() -> Self {
        let leak = |len: usize| NonNull::from(vec![0_u64; len / 8].leak()).cast();
        Self {
            ring: leak(DATA_OFFSET + RING_SIZE as usize),
            consumer: leak(CONSUMER_SIZE),
        }
    }
}

/// What a driver keeps about a ring that it has granted.
pub(crate) struct DriverRing {
    producer: Producer<'static>,
    /// The records that were pushed and may not be passed yet, and where each ends.
    ledger: VecDeque<(u64, Vec<u8>)>,
    /// Is announced when somebody asks for the account.
    pub(crate) gap: Option<Vec<u8>>,
    /// Is set when all was pushed.
    at_end: u64,
    begun: bool,
    wake: Box<dyn Fn() + Send>,
}

impl DriverRing {
    /// Of a ring that begins in `shared`, whose reader `wake` wakes.
    pub(crate) fn new(shared: Shared, wake: impl Fn() + Send + 'static) -> Self {
        // SAFETY: inside what is mapped there.
        let data = unsafe { shared.ring.add(DATA_OFFSET) };
        let records = NonNull::slice_from_raw_parts(data.cast(), RING_SIZE as usize / 8);
        // SAFETY: zeroed memory that stays, aligned, of which nobody else takes the producer's
        // part.
        let ring = unsafe {
            SessionRing::in_place(records, shared.ring.cast(), shared.consumer.cast(), 0)
        };
        let ring = Box::leak(Box::new(ring.unwrap()));
        Self {
            producer: ring.producer().unwrap(),
            ledger: VecDeque::new(),
            gap: None,
            at_end: 0,
            begun: false,
            wake: Box::new(wake),
        }
    }

    /// A control request of a session whose ring is mapped.
    pub(crate) fn control(
        &mut self,
        machine: &mut Machine,
        code: u32,
        input: &[u8],
        output_len: usize,
    ) -> (u32, Vec<u8>) {
        assert_ne!(
            code, READ_EVENTS,
            "a read of a session whose ring is mapped"
        );
        if code == GET_STATS {
            self.settle(machine);
            if let Some(lost) = self.gap.take() {
                self.push(&lost);
                self.say(self.at_end);
            }
        }
        let answer = machine.control(code, input, output_len);
        if code == CONFIGURE && answer.0 == 0 && !self.begun {
            self.begun = true;
            self.begin(machine);
        }
        answer
    }

    /// Pushes all that reads would have brought.
    fn begin(&mut self, machine: &mut Machine) {
        for batch in std::mem::take(&mut machine.batches) {
            self.push(&batch);
        }
        self.at_end = match machine.at_end {
            AtEnd::ShutDown => state::ENDED,
            AtEnd::Pend | AtEnd::Die => 0,
        };
        let gap = self.gap.as_ref().map_or(0, |_| state::GAP);
        self.say(self.at_end | gap);
    }

    /// Pushes records, one behind the other, as one batch.
    pub(crate) fn push(&mut self, mut batch: &[u8]) {
        while let Some(record) = Records::new(batch).next() {
            let size = record.unwrap().header().size as usize;
            let (record, rest) = batch.split_at(size);
            assert!(self.write(record), "the ring is full");
            batch = rest;
        }
        self.wake_if_asleep();
    }

    /// Pushes one record, if there is room.
    pub(crate) fn try_push(&mut self, record: &[u8]) -> bool {
        let pushed = self.write(record);
        self.wake_if_asleep();
        pushed
    }

    fn write(&mut self, record: &[u8]) -> bool {
        let pushed = self.producer.push(record, Priority::High).is_ok();
        if pushed {
            let end = self.producer.written();
            self.ledger.push_back((end, record.to_vec()));
        }
        pushed
    }

    pub(crate) fn written(&self) -> u64 {
        self.producer.written()
    }

    /// Up to where the reader has come.
    pub(crate) fn read(&mut self) -> u64 {
        self.producer.read()
    }

    pub(crate) fn say(&mut self, state: u64) {
        self.producer.set_state(state);
        self.wake_if_asleep();
    }

    fn wake_if_asleep(&mut self) {
        if self.producer.must_wake(WAKE_BYTES.into()) {
            (self.wake)();
        }
    }

    /// Counts as delivered what the reader has passed.
    fn settle(&mut self, machine: &mut Machine) {
        let read = self.producer.read();
        while let Some((_, record)) = self.ledger.pop_front_if(|(end, _)| *end <= read) {
            machine.deliver(&Records::new(&record).next().unwrap().unwrap());
        }
    }
}
