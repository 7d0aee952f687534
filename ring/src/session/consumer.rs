//! The one who reads.

use super::pages::{ASLEEP, ASLEEP_UNTIL_MUCH, POSITION};
use super::{SIZE_FIELD, SessionRing};
use crate::sync::{Ordering, fence};

/// As many times the producer learns of room while the consumer reads through the ring.
const STEPS: u64 = 16;

/// The right to read the ring.
pub struct Consumer<'r> {
    ring: &'r SessionRing<'r>,
    /// Bytes that were ever released.
    position: u64,
    /// Of those, the ones that the producer was told of.
    published: u64,
    /// Up to the end of the record that is lent.
    lent: u64,
    /// How far the producer was seen to have come.
    written: u64,
    /// What the producer was seen to say.
    state: u64,
}

/// What a consumer sleeps for, unless the producer has something to [say](super::state).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// There is anything to read.
    Anything,
    /// There are as many bytes to read: what [`super::Producer::must_wake`] is given.
    Bytes(u64),
}

/// What lies in the ring was not written by a [`super::Producer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the ring is damaged at byte {position}: no record of {size} bytes can be there")]
pub struct Damaged {
    /// Bytes that were released before.
    pub position: u64,
    /// What is said to be there.
    pub size: u64,
}

impl<'r> Consumer<'r> {
    pub(super) fn new(ring: &'r SessionRing<'r>) -> Self {
        let position = ring.consumer.word.load(Ordering::Relaxed) & POSITION;
        Self {
            ring,
            position,
            published: position,
            lent: position,
            written: position,
            state: 0,
        }
    }

    /// Lends the oldest record, which stays until it is [released](Self::release).
    ///
    /// # Errors
    /// [`Damaged`] when no whole record is there.
    #[inline]
    pub fn peek(&mut self) -> Result<Option<&[u8]>, Damaged> {
        if self.written == self.position {
            // Acquire pairs with the release in `Producer::push`.
            self.written = self.ring.producer.position.load(Ordering::Acquire);
            if self.written == self.position {
                return Ok(None);
            }
        }
        let memory = &self.ring.memory;
        let unread = self.written.wrapping_sub(self.position);
        if unread > memory.capacity() || !unread.is_multiple_of(8) {
            return Err(self.damaged(unread));
        }
        let to_end = memory.capacity() - memory.offset(self.position);
        let (padding, size) = match self.size_at(self.position) {
            0 if to_end < unread => (to_end, self.size_at(self.position.wrapping_add(to_end))),
            size => (0, size),
        };
        let start = self.position.wrapping_add(padding);
        let in_one_piece = size <= memory.capacity() - memory.offset(start);
        if size == 0 || !size.is_multiple_of(8) || size > unread - padding || !in_one_piece {
            return Err(self.damaged(size));
        }
        memory.reading(start, size);
        self.lent = start.wrapping_add(size);
        // SAFETY: mapped, as it lies inside the memory, and initialised, as it is before the
        // producer's position; the producer leaves it alone until it is released, for which the
        // borrow must have ended.
        Ok(Some(unsafe { memory.bytes(start, size).as_ref() }))
    }

    /// Is done with the record that was lent last. The producer learns of it when no other is seen
    /// to follow, or a sixteenth of the ring was released since: room that comes in small pieces
    /// would be filled with announcements of what is missing between them.
    #[inline]
    pub fn release(&mut self) {
        self.position = self.lent;
        let step = self.ring.memory.capacity() / STEPS;
        if self.position == self.written || self.position.wrapping_sub(self.published) >= step {
            self.publish();
        }
    }

    /// Tells the producer of all that was released.
    pub fn publish(&mut self) {
        self.mark(0);
        self.published = self.position;
    }

    /// What the producer [says](super::state).
    pub fn state(&mut self) -> u64 {
        // Acquire: what was pushed before it was said.
        self.state = self.ring.producer.state.load(Ordering::Acquire);
        self.state
    }

    /// Is there still nothing to sleep less for? Then whoever must be waited for will wake this
    /// consumer, as long as what is returned lives. The argument is the [module](super)'s.
    ///
    /// `None` also when the producer says something else than [`Self::state`] has shown last.
    pub fn sleep(&mut self, until: Until) -> Option<Asleep<'_, 'r>> {
        let (mark, enough) = match until {
            Until::Anything => (ASLEEP, 1),
            Until::Bytes(bytes) => (ASLEEP_UNTIL_MUCH, bytes.max(1)),
        };
        self.mark(mark);
        self.published = self.position;
        // Pairs with the fence in `Producer::must_wake`.
        fence(Ordering::SeqCst);
        let written = self.ring.producer.position.load(Ordering::Relaxed);
        let state = self.ring.producer.state.load(Ordering::Relaxed);
        let asleep = Asleep { consumer: self };
        let consumer = asleep.consumer;
        let unread = written.wrapping_sub(consumer.position);
        (unread < enough && state == consumer.state).then_some(asleep)
    }

    fn mark(&self, mark: u64) {
        // Release: we are done reading. Pairs with the acquire in `Producer::look`.
        let word = &self.ring.consumer.word;
        word.store(self.position | mark, Ordering::Release);
    }

    /// The size field at `position`, which is before the producer's.
    fn size_at(&self, position: u64) -> u64 {
        let memory = &self.ring.memory;
        memory.reading(position, SIZE_FIELD);
        let field = memory.bytes(position, SIZE_FIELD).cast::<u32>();
        // SAFETY: mapped and aligned, as positions are multiples of 8, and initialised; the
        // producer does not write before its position.
        u64::from(u32::from_le(unsafe { field.read() }))
    }

    fn damaged(&self, size: u64) -> Damaged {
        let position = self.position;
        Damaged { position, size }
    }
}

/// A consumer that may wait now. Dropping it says that it is awake.
pub struct Asleep<'c, 'r> {
    consumer: &'c Consumer<'r>,
}

impl Drop for Asleep<'_, '_> {
    fn drop(&mut self) {
        self.consumer.mark(0);
    }
}
