//! Many producers, one consumer, records of any size.
//!
//! A producer moves `head` past the room for its record with one compare-and-swap, fills the
//! record in place, and writes its header last. The consumer walks from header to header, zeroes
//! what it has read, and moves `tail` past it. Records come out in the order of their reservations.
//!
//! # Why stale bytes are never taken for a header
//!
//! Whoever starts a process chooses bytes that go through the ring, so no magic number could tell
//! a header from old content. Instead: *every byte between `head` and `tail + capacity` is zero.*
//!
//! 1. It holds at the start, as [`CaptureRing::new`] zeroes the memory.
//! 2. A producer writes only between the two ends of its reservation, which lie behind `head`.
//! 3. The consumer zeroes a record before it moves `tail` past it (release), and a producer
//!    reserves only up to a `tail` that it has read (acquire).
//!
//! The consumer looks for a header only at its own position, which is always the start of a
//! reservation or `head` itself. So what it finds there is zero or what the owner of that
//! reservation stored in this lap; content of this lap lies behind the header, not at it.
//!
//! # The kick
//!
//! The consumer may fall asleep at a record that is reserved and not yet written, so it is not
//! enough to kick it when the ring stops being empty. Both sides write, fence, and read what the
//! other wrote, so at least one of them sees the other:
//!
//! - [`Consumer::park`] publishes the position that it means to sleep at, fences, and looks at the
//!   header there once more.
//! - The end of a [`Reservation`] stores the header, fences, and looks whether the consumer is at
//!   that record.
//!
//! If both see each other, a compare-and-swap decides. So one kick begins exactly one run of the
//! consumer, and no further flag is needed:
//!
//! ```text
//!          kick or call            consumer()            park()
//! asleep ────────────────> called ────────────> running ────────> asleep
//!                            ^────── dropped ──────┘
//! ```

mod consumer;
mod header;
mod reservation;
mod sleep;

pub use consumer::{Consumer, Record};
pub use reservation::Reservation;

use crate::line::Line;
use crate::memory::Memory;
use crate::sync::{AtomicU64, Ordering};
use crate::{Full, Priority, SizeError, size};
use header::record_size;
use sleep::Sleep;

/// The capture ring. See the [module](self) for how it works.
pub struct CaptureRing<'m> {
    /// Everyone reads it all the time, so it is apart from what anyone writes.
    memory: Line<Memory<'m>>,
    producers: Line<Producers>,
    /// Up to here the consumer has read and zeroed. Only the consumer writes it.
    tail: Line<AtomicU64>,
    sleep: Sleep,
}

struct Producers {
    /// Up to here is reserved.
    head: AtomicU64,
    /// `tail + capacity` as some producer last saw it: `head` may go so far. It may lag, and
    /// even step back; it saves the producers from fetching the consumer's line each time.
    limit: AtomicU64,
    /// Bytes that only [`Priority::High`] may use.
    reserved: u64,
}

impl<'m> CaptureRing<'m> {
    /// Makes `memory` a ring, and keeps its last `reserved` bytes for [`Priority::High`].
    ///
    /// The consumer is asleep at first: the first record kicks.
    ///
    /// # Errors
    /// [`SizeError`] if the size is not a power of two from 64 bytes to 1 GiB, or more than half
    /// is reserved.
    pub fn new(memory: &'m mut [u64], reserved: usize) -> Result<Self, SizeError> {
        let memory = Memory::new(memory)?;
        let capacity = memory.capacity();
        Ok(Self {
            memory: Line::new(memory),
            producers: Line::new(Producers {
                head: AtomicU64::new(0),
                limit: AtomicU64::new(capacity),
                reserved: size::reserved(reserved, capacity)?,
            }),
            tail: Line::new(AtomicU64::new(0)),
            sleep: Sleep::new(),
        })
    }

    /// Bytes of the ring.
    pub fn capacity(&self) -> usize {
        self.memory.capacity() as usize
    }

    /// Bytes of the longest record that can ever fit: half of the ring less a header. So a record
    /// and the padding before it always fit into an empty ring.
    pub fn longest_record(&self) -> usize {
        self.capacity() / 2 - header::SIZE as usize
    }

    /// Reserves a record of `len` zeroed, 8-byte aligned bytes. `tag` is the caller's own, and is
    /// stored beside the record.
    ///
    /// `kick` is called when the reservation ends, if the consumer must be run then; it runs in
    /// the thread and at the IRQL of whoever ends the reservation.
    ///
    /// # Errors
    /// [`Full`], and the ring is as it was.
    #[inline]
    pub fn reserve<K: Fn()>(
        &self,
        tag: u32,
        len: usize,
        priority: Priority,
        kick: K,
    ) -> Result<Reservation<'_, K>, Full> {
        if len > self.longest_record() {
            return Err(Full);
        }
        let size = record_size(len as u64);
        let capacity = self.memory.capacity();
        let Producers {
            head,
            limit,
            reserved,
        } = &*self.producers;
        let spare = match priority {
            Priority::Normal => *reserved,
            Priority::High => 0,
        };

        let mut claim = head.load(Ordering::Relaxed);
        loop {
            // A record lies in one piece: what is left at the end of the ring may be padding.
            let to_end = capacity - self.memory.offset(claim);
            let start = if size <= to_end {
                claim
            } else {
                claim + to_end
            };
            let end = start + size;
            // Acquire: the bytes up to here are zeroed. The value came from `tail`, perhaps by
            // another producer.
            if end + spare > limit.load(Ordering::Acquire) {
                self.look_at_tail(end + spare)?;
            }
            // Relaxed: `head` only tells the producers apart. Positions never come back, so it is
            // still where this thread read it, or the exchange fails.
            match head.compare_exchange_weak(claim, end, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(Reservation::new(self, claim..start, tag, len as u64, kick)),
                Err(now) => claim = now,
            }
        }
    }

    /// Takes the part of the consumer, if it was called, by a kick or otherwise, and nobody has it.
    pub fn consumer(&self) -> Option<Consumer<'_>> {
        self.sleep.run().then(|| Consumer::new(self))
    }

    /// Has the consumer look once more for a reason other than a record: unloading, for one. If
    /// this says true the caller must run it, as a kick would; if not, a run is under way or due,
    /// and will not end before it has seen what the caller wrote before this.
    #[must_use = "a consumer that was called and is not run stays away for good"]
    pub fn call(&self) -> bool {
        self.sleep.call()
    }

    /// Asks the consumer's own line whether `head` may go to `end`, for everyone.
    #[cold]
    fn look_at_tail(&self, end: u64) -> Result<(), Full> {
        // Acquire pairs with the release in `Consumer::release`.
        let limit = self.tail.load(Ordering::Acquire) + self.memory.capacity();
        // Release hands on what we acquired.
        self.producers.limit.store(limit, Ordering::Release);
        if end > limit { Err(Full) } else { Ok(()) }
    }
}
