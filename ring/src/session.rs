//! One producer, one consumer, records in the format of the protocol.
//!
//! A record is a multiple of 8 bytes long and begins with its size (32 bits, little endian), which
//! is all that the ring knows of it. Records lie in one piece; a size of 0 says that there is
//! nothing more up to the end of the memory, and that the next record is at its start.
//!
//! Either side may be another process that maps the ring ([`SessionRing::in_place`]), so neither is
//! trusted. The producer reads nothing back but the consumer's [word](ConsumerPage), and goes by
//! positions that it keeps to itself. A consumer that lies about its own loses events, its own. The
//! consumer checks what it finds, and says [`Damaged`].
//!
//! # Sleep
//!
//! The consumer may sleep; the producer says when whoever can is to wake it. Each side writes,
//! fences, and then reads what the other wrote:
//!
//! | consumer, [`Consumer::sleep`] | producer, [`Producer::push`] and [`Producer::must_wake`] |
//! | --- | --- |
//! | 1. stores its position, marked asleep | A. stores its position (or state) |
//! | 2. full fence | B. full fence |
//! | 3. loads the producer's position and state | C. loads the consumer's word |
//!
//! One of the fences is the first. If it is 2, then C sees 1: the producer sees a sleeper, and
//! wakes it. If it is B, then 3 sees A: the consumer sees the record, and does not sleep. So no
//! wake-up is lost, however many records the producer pushes before it asks once. None is sent to a
//! consumer that is busy, as only a sleeper's word is marked, and none twice for one sleep, as the
//! producer remembers the word that it last sent one for. There are no busy records as in the
//! [capture ring](crate::capture): a position is published behind a whole record, so a consumer
//! that is in the middle of a batch sees the end of the ring, and may fall asleep there.

mod consumer;
mod pages;
mod producer;

pub use consumer::{Asleep, Consumer, Damaged, Until};
pub use pages::{ConsumerPage, ProducerPage, state};
pub use producer::{Producer, PushError};

use crate::line::Line;
use crate::memory::Memory;
use crate::sync::{AtomicBool, Ordering};
use crate::{SizeError, size};
use core::ops::Deref;
use core::ptr::NonNull;

/// Bytes that say how long a record is.
const SIZE_FIELD: u64 = 4;

/// The session ring. See the [module](self) for how it works.
pub struct SessionRing<'m> {
    memory: Memory<'m>,
    /// Bytes that only [`crate::Priority::High`] may use.
    reserved: u64,
    producer: Place<'m, ProducerPage>,
    consumer: Place<'m, ConsumerPage>,
    producer_taken: AtomicBool,
    consumer_taken: AtomicBool,
}

/// Where a page is.
enum Place<'m, T> {
    /// In the ring itself.
    Own(Line<T>),
    /// In memory that the other side sees, too.
    Shared(&'m T),
}

impl<T> Deref for Place<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        match self {
            Self::Own(page) => page,
            Self::Shared(page) => page,
        }
    }
}

impl<'m> SessionRing<'m> {
    /// Makes `memory` a ring, and keeps its last `reserved` bytes for [`crate::Priority::High`].
    ///
    /// # Errors
    /// [`SizeError`] if the size is not a power of two from 64 bytes to 1 GiB, or more than half
    /// is reserved.
    pub fn new(memory: &'m mut [u64], reserved: usize) -> Result<Self, SizeError> {
        let producer = Place::Own(Line::new(ProducerPage::new()));
        let consumer = Place::Own(Line::new(ConsumerPage::new()));
        Self::with(Memory::new(memory)?, reserved, producer, consumer)
    }

    /// One side of a ring whose records and pages lie in memory shared with the other side. All of
    /// it was zero when the ring began.
    ///
    /// # Errors
    /// As for [`SessionRing::new`].
    ///
    /// # Safety
    /// For `'m`, `records` and both pages are mapped, aligned to 8 bytes, and can be read. If
    /// [`SessionRing::producer`] is called, `records` and `producer` can be written, and nobody
    /// else writes them; if [`SessionRing::consumer`] is called, `consumer` can be written, and
    /// whoever produces leaves records alone that are not released.
    pub unsafe fn in_place(
        records: NonNull<[u64]>,
        producer: NonNull<ProducerPage>,
        consumer: NonNull<ConsumerPage>,
        reserved: usize,
    ) -> Result<Self, SizeError> {
        let memory = Memory::at(records)?;
        // SAFETY: mapped for 'm and aligned, as the caller promises; the page is atomics alone.
        let producer = unsafe { producer.as_ref() };
        // SAFETY: as above.
        let consumer = unsafe { consumer.as_ref() };
        let (producer, consumer) = (Place::Shared(producer), Place::Shared(consumer));
        Self::with(memory, reserved, producer, consumer)
    }

    fn with(
        memory: Memory<'m>,
        reserved: usize,
        producer: Place<'m, ProducerPage>,
        consumer: Place<'m, ConsumerPage>,
    ) -> Result<Self, SizeError> {
        Ok(Self {
            reserved: size::reserved(reserved, memory.capacity())?,
            memory,
            producer,
            consumer,
            producer_taken: AtomicBool::new(false),
            consumer_taken: AtomicBool::new(false),
        })
    }

    /// Bytes of the ring.
    pub fn capacity(&self) -> usize {
        self.memory.capacity() as usize
    }

    /// Bytes of the longest record that can ever fit: half of the ring.
    pub fn longest_record(&self) -> usize {
        self.capacity() / 2
    }

    /// The producer's part, for the first who asks.
    pub fn producer(&self) -> Option<Producer<'_>> {
        // Relaxed: who is second gets nothing to look at.
        let first = !self.producer_taken.swap(true, Ordering::Relaxed);
        first.then(|| Producer::new(self))
    }

    /// The consumer's part, for the first who asks.
    pub fn consumer(&self) -> Option<Consumer<'_>> {
        let first = !self.consumer_taken.swap(true, Ordering::Relaxed);
        first.then(|| Consumer::new(self))
    }
}
