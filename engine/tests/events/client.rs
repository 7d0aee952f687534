//! A client's end of a session: one that is brought its records, or one that reads them in place.

use ntwatch_engine::session::{self, Output, Queue, Reader};
use ntwatch_ring::SessionRing;
use ntwatch_ring::session::{Consumer, ConsumerPage, ProducerPage, Until, state};
use std::mem;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

/// How a client comes to its records.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Transport {
    Read,
    Mapped,
}

pub(crate) const TRANSPORTS: [Transport; 2] = [Transport::Read, Transport::Mapped];

pub(crate) enum Client {
    Reads(Reader<'static>),
    Maps(Mapped),
}

/// What a client has that reads in place.
pub(crate) struct Mapped {
    pub(crate) ring: Consumer<'static>,
    /// What it can write: whatever it likes.
    pub(crate) word: &'static AtomicU64,
}

/// The buffer of a read.
struct Buffer {
    bytes: Vec<u8>,
    room: usize,
}

impl Output for Buffer {
    fn room(&self) -> usize {
        self.room - self.bytes.len()
    }

    fn push(&mut self, record: &[u8]) {
        self.bytes.extend_from_slice(record);
    }
}

/// Memory for a ring, for records or for a ledger, for the rest of the test's life.
pub(crate) fn words(bytes: usize) -> &'static mut [u64] {
    vec![0; bytes / 8].leak()
}

/// Both ends of a session with a ring of `size` bytes.
pub(crate) fn connect(transport: Transport, size: usize) -> (Queue<'static>, Client) {
    let ledger = words(session::ledger_size(size));
    match transport {
        Transport::Read => {
            let ring = SessionRing::new(words(size), session::reserve(size)).unwrap();
            let ring = Box::leak(Box::new(ring));
            let queue = Queue::new(ring.producer().unwrap(), ledger);
            let reader = Reader::new(ring.consumer().unwrap());
            (queue, Client::Reads(reader))
        }
        Transport::Mapped => {
            let records = NonNull::from(words(size));
            let producer = NonNull::from(Box::leak(Box::new(ProducerPage::new())));
            let consumer = NonNull::from(Box::leak(Box::new(ConsumerPage::new())));
            let side = || {
                // SAFETY: all of it is leaked, aligned and zero; of one side the producer is
                // taken, of the other the consumer.
                let ring = unsafe {
                    SessionRing::in_place(records, producer, consumer, session::reserve(size))
                };
                Box::leak(Box::new(ring.unwrap()))
            };
            let queue = Queue::new(side().producer().unwrap(), ledger);
            let mapped = Mapped {
                ring: side().consumer().unwrap(),
                // SAFETY: the page is one atomic word.
                word: unsafe { consumer.cast().as_ref() },
            };
            (queue, Client::Maps(mapped))
        }
    }
}

impl Client {
    /// The records that fit into `room` bytes, and whether room for announcements is to be told of.
    pub(crate) fn read(&mut self, room: usize) -> (Vec<u8>, bool) {
        let mut buffer = Buffer {
            bytes: Vec::new(),
            room,
        };
        let tell = match self {
            Client::Reads(reader) => {
                reader.read(&mut buffer);
                true
            }
            Client::Maps(mapped) => mapped.read(&mut buffer),
        };
        (buffer.bytes, tell)
    }

    /// What only one has that reads in place.
    pub(crate) fn mapped(&mut self) -> &mut Mapped {
        match self {
            Client::Maps(mapped) => mapped,
            Client::Reads(_) => panic!("this client does not read in place"),
        }
    }
}

impl Mapped {
    fn read(&mut self, buffer: &mut Buffer) -> bool {
        let is_drained = loop {
            match self.ring.peek().unwrap() {
                None => break true,
                Some(record) if record.len() > buffer.room() => break false,
                Some(record) => buffer.push(record),
            }
            self.ring.release();
        };
        self.ring.publish();
        is_drained && self.ring.state() & state::GAP != 0
    }

    /// Goes to sleep, if it may, and does not wake by itself.
    pub(crate) fn fall_asleep(&mut self, until: Until) -> bool {
        self.ring.sleep(until).map(mem::forget).is_some()
    }
}
