//! The best of their kind: byte rings and queues of fixed records, many producers first.

use crate::queue::{CAPACITY, Producer, Queue, look};
use aeron_rs::command::control_protocol_events::AeronCommand;
use aeron_rs::concurrent::atomic_buffer::{AlignedBuffer, AtomicBuffer};
use aeron_rs::concurrent::ring_buffer::{ManyToOneRingBuffer, TRAILER_LENGTH};
use crossbeam_queue::ArrayQueue;
use nexus_logbuf::queue::mpsc;
use ringbuf::HeapRb;
use ringbuf::traits::{Consumer as _, Producer as _, Split};
use std::sync::Arc;

/// nexus-logbuf: a byte ring, reserve and commit.
pub(crate) struct Logbuf;

impl<const N: usize> Queue<N> for Logbuf {
    const NAME: &'static str = "nexus-logbuf mpsc";
    type Producer = mpsc::Producer;
    type Consumer = mpsc::Consumer;

    fn new() -> (Self::Producer, Self::Consumer) {
        mpsc::new(CAPACITY)
    }

    fn another(producer: &Self::Producer) -> Option<Self::Producer> {
        Some(producer.clone())
    }

    fn drain(consumer: &mut Self::Consumer) -> u32 {
        let mut taken = 0;
        while let Some(record) = consumer.try_claim() {
            look(&record);
            taken += 1;
        }
        taken
    }
}

impl<const N: usize> Producer<N> for mpsc::Producer {
    #[inline]
    fn push(&mut self, record: &[u8; N]) -> bool {
        match self.try_claim(N) {
            Ok(mut room) => {
                room.copy_from_slice(record);
                room.commit();
                true
            }
            Err(_) => false,
        }
    }
}

/// aeron-rs: Aeron's many-to-one byte ring.
pub(crate) struct Aeron;

/// The ring, and room for the message, which must be in a buffer of Aeron's own.
pub(crate) struct AeronProducer {
    shared: Arc<AeronRing>,
    message: AlignedBuffer,
}

pub(crate) struct AeronRing {
    ring: ManyToOneRingBuffer,
    _memory: AlignedBuffer,
}

// SAFETY: a ring for many threads, in memory that lives as long; it only holds raw pointers.
unsafe impl Send for AeronRing {}
// SAFETY: as above.
unsafe impl Sync for AeronRing {}
// SAFETY: the message is the producer's own.
unsafe impl Send for AeronProducer {}

impl AeronProducer {
    fn new(shared: Arc<AeronRing>) -> Self {
        Self {
            shared,
            message: AlignedBuffer::with_capacity(4096),
        }
    }
}

impl<const N: usize> Queue<N> for Aeron {
    const NAME: &'static str = "aeron-rs many-to-one";
    type Producer = AeronProducer;
    type Consumer = Arc<AeronRing>;

    fn new() -> (AeronProducer, Self::Consumer) {
        let memory = AlignedBuffer::with_capacity(CAPACITY as i32 + TRAILER_LENGTH);
        let ring = ManyToOneRingBuffer::new(AtomicBuffer::from_aligned(&memory));
        let ring = Arc::new(AeronRing {
            ring: ring.expect("a power of two and a trailer"),
            _memory: memory,
        });
        (AeronProducer::new(ring.clone()), ring)
    }

    fn another(producer: &AeronProducer) -> Option<AeronProducer> {
        Some(AeronProducer::new(producer.shared.clone()))
    }

    fn drain(consumer: &mut Self::Consumer) -> u32 {
        let looked = |_, message: AtomicBuffer| {
            std::hint::black_box(message.get::<u8>(0));
        };
        consumer.ring.read_all(looked) as u32
    }
}

impl<const N: usize> Producer<N> for AeronProducer {
    /// Writes from where the record is: the copy into the message is not Aeron's.
    #[inline]
    fn push(&mut self, record: &[u8; N]) -> bool {
        let message = AtomicBuffer::from_aligned(&self.message);
        // One word, so that the message is this record as far as the compiler knows.
        message.put::<u8>(0, record[0]);
        let written = self
            .shared
            .ring
            .write(AeronCommand::AddPublication, message, 0, N as i32);
        written.is_ok()
    }
}

/// crossbeam: a queue of fixed records, many producers and consumers.
pub(crate) struct Array;

impl<const N: usize> Queue<N> for Array {
    const NAME: &'static str = "crossbeam ArrayQueue";
    type Producer = Arc<ArrayQueue<[u8; N]>>;
    type Consumer = Arc<ArrayQueue<[u8; N]>>;

    fn new() -> (Self::Producer, Self::Consumer) {
        let queue = Arc::new(ArrayQueue::new(CAPACITY / N));
        (queue.clone(), queue)
    }

    fn another(producer: &Self::Producer) -> Option<Self::Producer> {
        Some(producer.clone())
    }

    fn drain(consumer: &mut Self::Consumer) -> u32 {
        let mut taken = 0;
        while let Some(record) = consumer.pop() {
            look(&record);
            taken += 1;
        }
        taken
    }
}

impl<const N: usize> Producer<N> for Arc<ArrayQueue<[u8; N]>> {
    #[inline]
    fn push(&mut self, record: &[u8; N]) -> bool {
        ArrayQueue::push(self, *record).is_ok()
    }
}

/// rtrb: fixed records, one producer.
pub(crate) struct Rtrb;

impl<const N: usize> Queue<N> for Rtrb {
    const NAME: &'static str = "rtrb (1 producer)";
    type Producer = rtrb::Producer<[u8; N]>;
    type Consumer = rtrb::Consumer<[u8; N]>;

    fn new() -> (Self::Producer, Self::Consumer) {
        rtrb::RingBuffer::new(CAPACITY / N)
    }

    fn another(_: &Self::Producer) -> Option<Self::Producer> {
        None
    }

    fn drain(consumer: &mut Self::Consumer) -> u32 {
        let mut taken = 0;
        while let Ok(record) = consumer.pop() {
            look(&record);
            taken += 1;
        }
        taken
    }
}

impl<const N: usize> Producer<N> for rtrb::Producer<[u8; N]> {
    #[inline]
    fn push(&mut self, record: &[u8; N]) -> bool {
        rtrb::Producer::push(self, *record).is_ok()
    }
}

/// ringbuf: fixed records, one producer.
pub(crate) struct Ringbuf;

impl<const N: usize> Queue<N> for Ringbuf {
    const NAME: &'static str = "ringbuf (1 producer)";
    type Producer = ringbuf::HeapProd<[u8; N]>;
    type Consumer = ringbuf::HeapCons<[u8; N]>;

    fn new() -> (Self::Producer, Self::Consumer) {
        HeapRb::new(CAPACITY / N).split()
    }

    fn another(_: &Self::Producer) -> Option<Self::Producer> {
        None
    }

    fn drain(consumer: &mut Self::Consumer) -> u32 {
        let mut taken = 0;
        while let Some(record) = consumer.try_pop() {
            look(&record);
            taken += 1;
        }
        taken
    }
}

impl<const N: usize> Producer<N> for ringbuf::HeapProd<[u8; N]> {
    #[inline]
    fn push(&mut self, record: &[u8; N]) -> bool {
        self.try_push(*record).is_ok()
    }
}
