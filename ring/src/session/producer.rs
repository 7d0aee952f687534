//! The one who writes.

use super::pages::{ASLEEP, ASLEEP_UNTIL_MUCH, POSITION};
use super::{SIZE_FIELD, SessionRing};
use crate::sync::{Ordering, fence};
use crate::{Full, Priority};

/// No consumer's word.
const NOBODY: u64 = u64::MAX;

/// The right to write into the ring. All that it goes by is here, where no consumer reaches.
pub struct Producer<'r> {
    ring: &'r SessionRing<'r>,
    /// Bytes that were ever written.
    written: u64,
    /// Of those, the ones that the consumer is known to have released.
    read: u64,
    /// What was said last.
    state: u64,
    /// The sleeper that was last said to be woken.
    woken: u64,
}

impl<'r> Producer<'r> {
    pub(super) const fn new(ring: &'r SessionRing<'r>) -> Self {
        Self {
            ring,
            written: 0,
            read: 0,
            state: 0,
            woken: NOBODY,
        }
    }

    /// Copies `record` into the ring.
    ///
    /// # Errors
    /// [`PushError`], and the ring is as it was.
    #[inline]
    pub fn push(&mut self, record: &[u8], priority: Priority) -> Result<(), PushError> {
        if !is_whole(record) {
            return Err(PushError::Malformed);
        }
        let size = record.len() as u64;
        let start = self.place(size, priority)?;
        let memory = &self.ring.memory;
        if start != self.written {
            // What is left at the end has 8 bytes at least, as every record is a multiple of 8.
            memory.writing(self.written, SIZE_FIELD);
            let end_mark = memory.bytes(self.written, SIZE_FIELD).cast::<u8>();
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
        self.written = start + size;
        // Release: the record. Pairs with the acquire in `Consumer::peek`.
        let position = &self.ring.producer.position;
        position.store(self.written, Ordering::Release);
        Ok(())
    }

    /// Would a record of `size` bytes fit now? With a consumer at work this may change from no to
    /// yes, never from yes to no.
    pub fn fits(&mut self, size: usize, priority: Priority) -> bool {
        self.place(size as u64, priority).is_ok()
    }

    /// Bytes that were ever written, padding among them.
    pub const fn written(&self) -> u64 {
        self.written
    }

    /// Of those, the ones that the consumer has released. Never less than before, and never more
    /// than were written, whatever the consumer says.
    pub fn read(&mut self) -> u64 {
        self.look();
        self.read
    }

    /// Says [`super::state`] to the consumer. One that sleeps is to be woken for it.
    pub fn set_state(&mut self, state: u64) {
        if state != self.state {
            self.state = state;
            // Who was woken for less is woken for this, too.
            self.woken = NOBODY;
            let shown = &self.ring.producer.state;
            shown.store(state, Ordering::Release);
        }
    }

    /// Is the consumer to be woken, for what was pushed or said since this was last asked? One that
    /// sleeps until there is much, at `much` bytes. The argument is the [module](super)'s.
    pub fn must_wake(&mut self, much: u64) -> bool {
        // Pairs with the fence in `Consumer::sleep`.
        fence(Ordering::SeqCst);
        let word = self.look();
        let enough = match word & !POSITION {
            ASLEEP => 1,
            ASLEEP_UNTIL_MUCH => much,
            // Awake, or one who makes up marks and is not to be waited for.
            _ => return false,
        };
        let wakes = self.written - self.read >= enough || self.state != 0;
        if !wakes || word == self.woken {
            return false;
        }
        self.woken = word;
        true
    }

    /// Where a record of `size` bytes would begin.
    #[inline]
    fn place(&mut self, size: u64, priority: Priority) -> Result<u64, Full> {
        let capacity = self.ring.memory.capacity();
        if size > capacity / 2 {
            return Err(Full);
        }
        let spare = match priority {
            Priority::Normal => self.ring.reserved,
            Priority::High => 0,
        };
        let to_end = capacity - self.ring.memory.offset(self.written);
        let padding = if size <= to_end { 0 } else { to_end };
        let needed = padding + size + spare;
        // The consumer's word is on a line that it writes: only who needs it fetches it.
        if self.free() < needed {
            self.look();
            if self.free() < needed {
                return Err(Full);
            }
        }
        Ok(self.written + padding)
    }

    /// Bytes that can be written, as far as is known.
    fn free(&self) -> u64 {
        self.ring.memory.capacity() - (self.written - self.read)
    }

    /// The consumer's word, read once and believed as far as it can be true.
    fn look(&mut self) -> u64 {
        // Acquire: the consumer is done with what it has passed. Pairs with the releases in
        // `Consumer`.
        let word = self.ring.consumer.word.load(Ordering::Acquire);
        let position = word & POSITION;
        if (self.read..=self.written).contains(&position) {
            self.read = position;
        }
        word
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
