//! The rings of `ntwatch-ring`.

use crate::queue::{CAPACITY, Producer, Queue, look};
use ntwatch_ring::{CaptureRing, Priority, SessionRing, capture, session};

/// A ring for good: there are few, and each is used to the end.
fn memory() -> &'static mut [u64] {
    vec![0; CAPACITY / 8].leak()
}

pub(crate) struct Capture;

pub(crate) struct CaptureProducer(&'static CaptureRing<'static>);

impl<const N: usize> Queue<N> for Capture {
    const NAME: &'static str = "ntwatch capture ring";
    type Producer = CaptureProducer;
    type Consumer = capture::Consumer<'static>;

    fn new() -> (CaptureProducer, Self::Consumer) {
        let ring = CaptureRing::new(memory(), 0).expect("a power of two");
        let ring = Box::leak(Box::new(ring));
        assert!(ring.call(), "it is asleep at first");
        let consumer = ring.consumer().expect("it was just called");
        (CaptureProducer(ring), consumer)
    }

    fn another(producer: &CaptureProducer) -> Option<CaptureProducer> {
        Some(CaptureProducer(producer.0))
    }

    /// Stays awake, as the others do that know no sleep; the producers look for it all the same.
    fn drain(consumer: &mut Self::Consumer) -> u32 {
        let mut taken = 0;
        while let Some(record) = consumer.peek() {
            look(&record);
            record.release();
            taken += 1;
        }
        taken
    }
}

impl<const N: usize> Producer<N> for CaptureProducer {
    #[inline]
    fn push(&mut self, record: &[u8; N]) -> bool {
        match self.0.reserve(0, N, Priority::Normal, || ()) {
            Ok(mut room) => {
                room.copy_from_slice(record);
                room.commit();
                true
            }
            Err(_) => false,
        }
    }
}

pub(crate) struct Session;

pub(crate) struct SessionProducer(session::Producer<'static>);

impl<const N: usize> Queue<N> for Session {
    const NAME: &'static str = "ntwatch session ring (1 producer)";
    type Producer = SessionProducer;
    type Consumer = session::Consumer<'static>;

    fn new() -> (SessionProducer, Self::Consumer) {
        let ring = SessionRing::new(memory(), 0).expect("a power of two");
        let ring = Box::leak(Box::new(ring));
        let ends = ring.producer().zip(ring.consumer());
        let (producer, consumer) = ends.expect("nobody else has them");
        (SessionProducer(producer), consumer)
    }

    fn another(_: &SessionProducer) -> Option<SessionProducer> {
        None
    }

    fn drain(consumer: &mut Self::Consumer) -> u32 {
        let mut taken = 0;
        while let Ok(Some(record)) = consumer.peek() {
            look(record);
            consumer.release();
            taken += 1;
        }
        taken
    }
}

impl<const N: usize> Producer<N> for SessionProducer {
    #[inline]
    fn push(&mut self, record: &[u8; N]) -> bool {
        self.0.push(record, Priority::Normal).is_ok()
    }
}
