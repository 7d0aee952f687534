//! A record that is being filled.

use super::CaptureRing;
use super::header::{self, Header};
use crate::sync::Ordering;
use core::ops::{Deref, DerefMut, Range};

/// Room for a record, filled through `DerefMut`. It ends by [`commit`](Self::commit) or
/// [`discard`](Self::discard); dropping it discards. The consumer cannot pass it before that, so
/// keep the time short, and the thread from being suspended.
#[must_use = "dropping a reservation discards it"]
pub struct Reservation<'r, K: Fn()> {
    ring: &'r CaptureRing<'r>,
    /// From the start of the reservation to that of its record: the padding.
    padding: Range<u64>,
    len: u64,
    tag: u32,
    /// What will be stored at the end.
    header: Header,
    kick: K,
}

impl<'r, K: Fn()> Reservation<'r, K> {
    #[inline]
    pub(super) fn new(
        ring: &'r CaptureRing<'r>,
        padding: Range<u64>,
        tag: u32,
        len: u64,
        kick: K,
    ) -> Self {
        if !padding.is_empty() {
            let len = padding.end - padding.start - header::SIZE;
            let padded = Header::discarded(len);
            // Release, as for every header: the reservation holds these bytes now, and the
            // consumer will clear them. It needs no kick of its own; see `drop`.
            ring.memory
                .word(padding.start)
                .store(padded.0, Ordering::Release);
        }
        ring.memory.writing(padding.end + header::SIZE, len);
        Self {
            ring,
            padding,
            len,
            tag,
            header: Header::discarded(len),
            kick,
        }
    }

    /// Gives the record to the consumer, and kicks it if it sleeps there.
    #[inline]
    pub fn commit(mut self) {
        self.header = Header::committed(self.tag, self.len);
    }

    /// Gives the room back without a record, and kicks the consumer if it sleeps there.
    #[inline]
    pub fn discard(self) {}

    fn content(&self) -> core::ptr::NonNull<[u8]> {
        self.ring
            .memory
            .bytes(self.padding.end + header::SIZE, self.len)
    }
}

impl<K: Fn()> Drop for Reservation<'_, K> {
    #[inline]
    fn drop(&mut self) {
        let start = self.padding.end;
        let word = self.ring.memory.word(start);
        // The consumer may be at the padding, which it would skip to get to the record.
        let here = self.padding.start..=start;
        if self.ring.sleep.must_kick(word, self.header.0, here) {
            (self.kick)();
        }
    }
}

impl<K: Fn()> Deref for Reservation<'_, K> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: from the exchange in `reserve` to the store in `drop` these bytes are this
        // reservation's alone, and they were zeroed before.
        unsafe { self.content().as_ref() }
    }
}

impl<K: Fn()> DerefMut for Reservation<'_, K> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`; `&mut self` makes it the only reference.
        unsafe { self.content().as_mut() }
    }
}
