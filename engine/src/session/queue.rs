//! The worker's end of a session's ring.

use super::FeedAccount;
use super::ledger::Ledger;
use ntwatch_protocol::record::Kind;
use ntwatch_ring::Priority;
use ntwatch_ring::session::{Producer, state};

/// Bytes of a session's ring that only process starts and exits, and the announcements of losses,
/// may use.
#[must_use]
pub const fn reserve(ring_size: usize) -> usize {
    ring_size / 8
}

/// What a session has yet to read, whether its client is brought the records or comes for them.
pub struct Queue<'r> {
    ring: Producer<'r>,
    ledger: Ledger<'r>,
    /// What the ring says beside its records, bits of [`ntwatch_ring::session::state`].
    state: u64,
}

impl<'r> Queue<'r> {
    /// Begins with a ring that nothing was put into yet, and keeps the ledger of it in `memory` of
    /// [`super::ledger_size`] bytes, which no client reaches.
    pub fn new(ring: Producer<'r>, memory: &'r mut [u64]) -> Self {
        Self {
            ring,
            ledger: Ledger::new(memory),
            state: 0,
        }
    }

    /// Says to a client that reads in place that nothing more will come for it.
    pub fn end(&mut self) {
        self.say(state::ENDED, true);
    }

    /// Is there room for `size` bytes?
    pub(super) fn fits(&mut self, size: usize, priority: Priority) -> bool {
        self.ring.fits(size, priority)
    }

    /// Puts a record of `kind` there, if there is room; says whether there was.
    pub(super) fn push(
        &mut self,
        record: &[u8],
        kind: Kind,
        priority: Priority,
        account: &mut FeedAccount,
    ) -> bool {
        let begin = self.ring.written();
        if self.ring.push(record, priority).is_err() {
            return false;
        }
        if self.ledger.is_full() {
            self.settle(account);
        }
        if self.ledger.is_full()
            && let Some(oldest) = self.ledger.take()
        {
            // Its client is in the midst of it, or says so.
            account.deliver(oldest);
        }
        let span = self.ring.written().wrapping_sub(begin);
        self.ledger.put(span, kind);
        account.queue(kind);
        true
    }

    /// Brings `account` up to where the client is.
    pub(super) fn settle(&mut self, account: &mut FeedAccount) {
        let read = self.ring.read();
        while let Some(kind) = self.ledger.take_passed(read) {
            account.deliver(kind);
        }
    }

    /// Says `state` to a client that reads in place, or takes it back.
    pub(super) fn say(&mut self, state: u64, is_so: bool) {
        match is_so {
            true => self.state |= state,
            false => self.state &= !state,
        }
        self.ring.set_state(self.state);
    }

    /// See [`super::Feed::must_wake`].
    pub(super) fn must_wake(&mut self, wake_bytes: u64) -> bool {
        self.ring.must_wake(wake_bytes)
    }
}
