//! One producer, one consumer, records in the format of the protocol.
//!
//! A record is a multiple of 8 bytes long and begins with its size (32 bits, little endian), which
//! is all that the ring knows of it. Records lie in one piece; a size of 0 says that there is
//! nothing more up to the end of the memory, and that the next record is at its start.
//!
//! The consumer is not trusted: it may one day be a process that maps the ring. The producer reads
//! nothing back but the consumer's position, and takes one that cannot be for that of a consumer
//! who has read nothing. Such a consumer loses events, its own.

use crate::line::Line;
use crate::memory::Memory;
use crate::sync::{AtomicBool, AtomicU64, Ordering};
use crate::{Full, Priority, SizeError, size};
use core::ops::Deref;

/// Bytes that say how long a record is.
const SIZE_FIELD: u64 = 4;

/// The session ring. See the [module](self) for how it works.
pub struct SessionRing<'m> {
    memory: Line<Memory<'m>>,
    /// Bytes that only [`Priority::High`] may use.
    reserved: u64,
    producer: Line<Side>,
    consumer: Line<Side>,
}

/// One end of the ring.
struct Side {
    /// Up to here its owner has come. Only the owner writes it.
    position: AtomicU64,
    /// Someone is the owner.
    taken: AtomicBool,
}

impl Side {
    fn new() -> Line<Self> {
        Line::new(Self {
            position: AtomicU64::new(0),
            taken: AtomicBool::new(false),
        })
    }

    fn take(&self) -> bool {
        // Acquire pairs with the release in `leave`: what the last owner did.
        !self.taken.swap(true, Ordering::Acquire)
    }

    fn leave(&self) {
        self.taken.store(false, Ordering::Release);
    }

    /// For the owner, who needs no ordering with itself.
    fn own_position(&self) -> u64 {
        self.position.load(Ordering::Relaxed)
    }
}

impl<'m> SessionRing<'m> {
    /// Makes `memory` a ring, and keeps its last `reserved` bytes for [`Priority::High`].
    ///
    /// # Errors
    /// [`SizeError`] if the size is not a power of two from 64 bytes to 1 GiB, or more than half
    /// is reserved.
    pub fn new(memory: &'m mut [u64], reserved: usize) -> Result<Self, SizeError> {
        let memory = Memory::new(memory)?;
        Ok(Self {
            reserved: size::reserved(reserved, memory.capacity())?,
            memory: Line::new(memory),
            producer: Side::new(),
            consumer: Side::new(),
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

    /// Is there nothing to read? Whoever is not the consumer learns what was true a moment ago.
    pub fn is_empty(&self) -> bool {
        // Acquire: a caller that sees a record here may go and read it.
        let written = self.producer.position.load(Ordering::Acquire);
        written == self.consumer.position.load(Ordering::Relaxed)
    }

    /// Takes the producer's part, if nobody has it.
    pub fn producer(&self) -> Option<Producer<'_>> {
        self.producer.take().then_some(Producer { ring: self })
    }

    /// Takes the consumer's part, if nobody has it.
    pub fn consumer(&self) -> Option<Consumer<'_>> {
        self.consumer.take().then_some(Consumer { ring: self })
    }
}

/// The right to write into the ring.
pub struct Producer<'r> {
    ring: &'r SessionRing<'r>,
}

impl Producer<'_> {
    /// Copies `record` into the ring.
    ///
    /// # Errors
    /// [`PushError`], and the ring is as it was.
    #[inline]
    pub fn push(&mut self, record: &[u8], priority: Priority) -> Result<(), PushError> {
        if !is_whole(record) {
            return Err(PushError::Malformed);
        }
        let memory = &self.ring.memory;
        let at = self.ring.producer.own_position();
        let size = record.len() as u64;
        let start = self.place(at, size, priority)?;
        if start != at {
            // What is left at the end has 8 bytes at least, as every record is a multiple of 8.
            memory.writing(at, SIZE_FIELD);
            let end_mark = memory.bytes(at, SIZE_FIELD).cast::<u8>();
            // SAFETY: free space, ours until the position below is published.
            unsafe { end_mark.write_bytes(0, SIZE_FIELD as usize) };
        }
        memory.writing(start, size);
        let room = memory.bytes(start, size).cast::<u8>();
        // SAFETY: free space as above, as long as the record, which lies elsewhere: whoever holds
        // a slice of the ring's memory borrows what is not free.
        unsafe {
            room.copy_from_nonoverlapping(core::ptr::NonNull::from(record).cast(), record.len())
        };
        // Release: the record. Pairs with the acquire in `Consumer::peek`.
        self.ring
            .producer
            .position
            .store(start + size, Ordering::Release);
        Ok(())
    }

    /// Would a record of `size` bytes fit now? With a consumer at work this may change from no to
    /// yes, never from yes to no.
    pub fn fits(&self, size: usize, priority: Priority) -> bool {
        let at = self.ring.producer.own_position();
        self.place(at, size as u64, priority).is_ok()
    }

    /// Where a record of `size` bytes begins, the producer being at `at`.
    fn place(&self, at: u64, size: u64, priority: Priority) -> Result<u64, Full> {
        let memory = &self.ring.memory;
        let capacity = memory.capacity();
        if size > capacity / 2 {
            return Err(Full);
        }
        let spare = match priority {
            Priority::Normal => self.ring.reserved,
            Priority::High => 0,
        };
        let to_end = capacity - memory.offset(at);
        let start = if size <= to_end { at } else { at + to_end };
        // Acquire: the consumer is done with what it has passed. Pairs with `Record::release`.
        let read = self.ring.consumer.position.load(Ordering::Acquire);
        let used = match at.checked_sub(read) {
            Some(used) if used <= capacity && read.is_multiple_of(8) => used,
            _ => capacity,
        };
        if used + (start - at) + size + spare > capacity {
            return Err(Full);
        }
        Ok(start)
    }
}

impl Drop for Producer<'_> {
    fn drop(&mut self) {
        self.ring.producer.leave();
    }
}

/// Does it begin with its own size, and is that a multiple of 8?
#[inline]
fn is_whole(record: &[u8]) -> bool {
    let size = record.first_chunk().map(|size| u32::from_le_bytes(*size));
    record.len().is_multiple_of(8) && size.is_some_and(|size| size as usize == record.len())
}

/// Why a record was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// No room now.
    #[error(transparent)]
    Full(#[from] Full),
    /// A consumer could not find the end of it.
    #[error("a record must begin with its size, a multiple of 8")]
    Malformed,
}

/// The right to read the ring.
pub struct Consumer<'r> {
    ring: &'r SessionRing<'r>,
}

impl<'r> Consumer<'r> {
    /// The oldest record. It stays until it is released.
    #[inline]
    pub fn peek(&mut self) -> Option<Record<'_, 'r>> {
        let memory = &self.ring.memory;
        // Acquire pairs with the release in `Producer::push`.
        let written = self.ring.producer.position.load(Ordering::Acquire);
        let at = self.ring.consumer.own_position();
        if at == written {
            return None;
        }
        let start = match self.size_at(at) {
            0 => at + (memory.capacity() - memory.offset(at)),
            _ => at,
        };
        let size = self.size_at(start);
        memory.reading(start, size);
        Some(Record {
            consumer: self,
            start,
            size,
        })
    }

    /// The size field at `position`, which is before the producer's.
    fn size_at(&self, position: u64) -> u64 {
        let memory = &self.ring.memory;
        memory.reading(position, SIZE_FIELD);
        let field = memory.bytes(position, SIZE_FIELD).cast::<u32>();
        // SAFETY: aligned, initialised, and the producer does not write before its position.
        u64::from(u32::from_le(unsafe { field.read() }))
    }
}

impl Drop for Consumer<'_> {
    fn drop(&mut self) {
        self.ring.consumer.leave();
    }
}

/// A record, lent. Dropping it leaves it where it is.
pub struct Record<'c, 'r> {
    consumer: &'c mut Consumer<'r>,
    start: u64,
    size: u64,
}

impl Record<'_, '_> {
    /// Gives the record's room back to the producer.
    #[inline]
    pub fn release(self) {
        // Release: we are done reading. Pairs with the acquire in `Producer::place`.
        self.consumer
            .ring
            .consumer
            .position
            .store(self.start + self.size, Ordering::Release);
    }
}

impl Deref for Record<'_, '_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        let bytes = self.consumer.ring.memory.bytes(self.start, self.size);
        // SAFETY: a whole record, as only those are pushed; the producer leaves it alone until the
        // consumer, which we borrow, releases it.
        unsafe { bytes.as_ref() }
    }
}
