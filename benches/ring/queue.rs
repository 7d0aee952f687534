//! What is measured: queues of records of `N` bytes.

use std::time::Duration;

/// Bytes of each queue, or records of `N` bytes for so many.
pub(crate) const CAPACITY: usize = 1 << 20;

/// A name, and one turn at the clock.
pub(crate) type Round = (&'static str, Box<dyn FnMut() -> Duration>);

/// A queue of records of `N` bytes.
pub(crate) trait Queue<const N: usize> {
    const NAME: &'static str;
    type Producer: Producer<N> + Send;
    type Consumer: Send;

    fn new() -> (Self::Producer, Self::Consumer);

    /// Another producer of the same queue, where there can be more than one.
    fn another(producer: &Self::Producer) -> Option<Self::Producer>;

    /// Takes what is there, looks at each record, and says how many there were.
    fn drain(consumer: &mut Self::Consumer) -> u32;
}

/// One end of a queue.
pub(crate) trait Producer<const N: usize> {
    /// False if the queue is full.
    fn push(&mut self, record: &[u8; N]) -> bool;
}

/// A record that begins with its size, as the session ring wants it.
pub(crate) fn record<const N: usize>(fill: u8) -> [u8; N] {
    let mut record = [fill; N];
    record[..4].copy_from_slice(&(N as u32).to_le_bytes());
    record
}

/// Looks at a record as little as one can.
pub(crate) fn look(record: &[u8]) {
    std::hint::black_box(record[0]);
}
