//! A ring that the client reads in place, and whose writer is not to be trusted.
#![allow(unsafe_code)]

use super::{fake, samples};
use crate::bytes::Bytes;
use crate::target::Target;
use ntwatch_client::Way;
use ntwatch_client::transport::Fault;
use ntwatch_client::transport::mapping::{Mapping, Views, Wake, Woken};
use ntwatch_protocol::mapped::{CONSUMER_SIZE, DATA_OFFSET};
use ntwatch_ring::session::state;
use std::ptr::NonNull;
use std::time::Duration;

/// Bytes of the ring.
const RING_SIZE: usize = 4096;
/// What an input begins with: the driver's position, what it says, and the client's position.
const WORDS: usize = 24;

/// Whatever lies in the ring and its two pages, the client makes events of it or an error, and its
/// stream ends.
///
/// An input is the driver's two words, the client's one, then the ring from its start.
pub enum MappedRing {}

impl Target for MappedRing {
    type Input = Bytes;
    const NAME: &'static str = "mapped_ring";

    fn seeds() -> Vec<Bytes> {
        let records = samples::records().concat();
        let end = records.len() as u64;
        // In the middle of the ring's second round, the records wrap.
        let round = RING_SIZE as u64;
        let mut wrapped = vec![0; RING_SIZE];
        let first = samples::records()[0].len();
        wrapped[RING_SIZE - first..].copy_from_slice(&records[..first]);
        wrapped[..records.len() - first].copy_from_slice(&records[first..]);
        vec![
            input([end, 0, 0], &records),
            input([end, state::ENDED, 0], &records),
            input([0, state::GAP, 0], &[]),
            input([2 * round + end, state::GAP, 2 * round], &records),
            input(
                [round - first as u64 + end, 0, round - first as u64],
                &wrapped,
            ),
        ]
    }

    fn run(Bytes(input): &Bytes) {
        let mut input = input.clone();
        input.resize(WORDS + RING_SIZE, 0);
        let (words, ring) = input.split_at(WORDS);
        let mut driver = Memory::new(DATA_OFFSET + RING_SIZE);
        let mut client = Memory::new(CONSUMER_SIZE);
        driver.fill(0, &words[..16]);
        driver.fill(DATA_OFFSET, ring);
        client.fill(0, &words[16..]);
        let (at_ring, at_word) = (driver.start(), client.start());
        // SAFETY: the memory of both lives in the boxes that the views keep, is aligned to 8 bytes
        // and long enough; nobody else uses it from here on.
        let views = unsafe { Views::new(at_ring, RING_SIZE as u32, at_word, (driver, client)) };
        let ring = Mapping {
            views: views.expect("a size that rings have"),
            wake: Box::new(Gone),
            wake_bytes: RING_SIZE as u32 / 4,
        };
        fake::watch(fake::Machine::mapped(ring), Way::Mapped);
    }
}

fn input(words: [u64; 3], ring: &[u8]) -> Bytes {
    let words = words.map(u64::to_le_bytes).concat();
    Bytes([&words, ring].concat())
}

/// Whole words, at one place.
struct Memory(Box<[u64]>);

impl Memory {
    fn new(bytes: usize) -> Self {
        Self(vec![0; bytes / 8].into_boxed_slice())
    }

    /// Writes whole words at `offset`, a multiple of 8.
    fn fill(&mut self, offset: usize, bytes: &[u8]) {
        let words = self.0[offset / 8..].iter_mut();
        for (word, bytes) in words.zip(bytes.as_chunks().0) {
            *word = u64::from_le_bytes(*bytes);
        }
    }

    fn start(&mut self) -> NonNull<u8> {
        NonNull::from(&mut *self.0).cast()
    }
}

/// Nobody is there to wake the client.
#[derive(Debug)]
struct Gone;

impl Wake for Gone {
    fn wait(&self, _: Option<Duration>) -> Result<Woken, Fault> {
        Err(Fault::Closed)
    }

    fn is_stopped(&self) -> bool {
        false
    }
}
