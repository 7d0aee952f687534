//! The one who reads.

use super::CaptureRing;
use super::header::{self, Header, record_size};
use crate::sync::Ordering;
use core::ops::Deref;

/// The right to read the ring: one at a time has it. It comes from [`CaptureRing::consumer`] and
/// ends by [`park`](Self::park), or by being dropped, which leaves the consumer called: then
/// whoever dropped it must see to the next run.
pub struct Consumer<'r> {
    ring: &'r CaptureRing<'r>,
    /// The same as the ring's `tail`.
    position: u64,
}

impl<'r> Consumer<'r> {
    pub(super) fn new(ring: &'r CaptureRing<'r>) -> Self {
        Self {
            ring,
            // Relaxed: only consumers write it, and `sleep` hands it from one to the next.
            position: ring.tail.load(Ordering::Relaxed),
        }
    }

    /// The oldest record, if it is committed. It stays until it is released.
    ///
    /// None also if records lie behind one that is still being filled: order is kept.
    #[inline]
    pub fn peek(&mut self) -> Option<Record<'_, 'r>> {
        loop {
            // Acquire pairs with the release in `Reservation::drop`.
            let word = self.ring.memory.word(self.position).load(Ordering::Acquire);
            let header = Header(word);
            if !header.is_written() {
                return None;
            }
            if !header.is_discarded() {
                let content = self.position + header::SIZE;
                self.ring.memory.reading(content, header.len());
                return Some(Record {
                    consumer: self,
                    header,
                });
            }
            self.release(header);
        }
    }

    /// Falls asleep, unless there is something to read or someone calls: then the consumer comes
    /// back.
    ///
    /// After `None` the next kick (or [`CaptureRing::call`]) begins the next run, perhaps before
    /// this returns: do nothing after it that must not happen beside that run.
    #[must_use = "a consumer that comes back has more to read"]
    pub fn park(self) -> Option<Self> {
        let sleep = &self.ring.sleep;
        // Relaxed: only `peek` reads the record.
        let word = self.ring.memory.word(self.position);
        if sleep.doze(self.position)
            && !Header(word.load(Ordering::Relaxed)).is_written()
            && sleep.fall_asleep(self.position)
        {
            core::mem::forget(self);
            return None;
        }
        sleep.stay();
        Some(self)
    }

    /// Zeroes the record at the front and gives its room to the producers.
    #[inline]
    fn release(&mut self, header: Header) {
        let size = record_size(header.len());
        // SAFETY: the record at our position is written, so its producer is done with it, and no
        // producer reserves these bytes again before `tail` is past them.
        unsafe { self.ring.memory.clear(self.position, size) };
        self.position += size;
        // Release: the zeroes. Pairs with the acquire in `CaptureRing::look_at_tail`.
        self.ring.tail.store(self.position, Ordering::Release);
    }
}

impl Drop for Consumer<'_> {
    fn drop(&mut self) {
        self.ring.sleep.leave();
    }
}

/// A committed record, lent. Dropping it leaves it where it is.
pub struct Record<'c, 'r> {
    consumer: &'c mut Consumer<'r>,
    header: Header,
}

impl Record<'_, '_> {
    /// What the producer gave as tag.
    #[inline]
    pub fn tag(&self) -> u32 {
        self.header.tag()
    }

    /// Gives the record's room back to the producers.
    #[inline]
    pub fn release(self) {
        self.consumer.release(self.header);
    }
}

impl Deref for Record<'_, '_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        let content = self.consumer.position + header::SIZE;
        let bytes = self.consumer.ring.memory.bytes(content, self.header.len());
        // SAFETY: the record is written, so its producer is done with it, and only the consumer,
        // which we borrow, can release it.
        unsafe { bytes.as_ref() }
    }
}
