//! What one session sees: the worker feeds its ring, and its client empties it, by reads or in
//! place.
//!
//! The two ends are apart so that neither waits for the other. The worker's end keeps the account,
//! *captured = delivered + filtered + lost + queued*: it remembers what it put into the ring, and
//! sees how far the client has come.

mod ledger;
mod queue;
mod reader;

pub use ledger::ledger_size;
pub use queue::{Queue, reserve};
pub use reader::{Output, Reader};

use crate::account::{add, masked, sub};
use crate::event::Event;
use crate::filter::Filter;
use crate::gap::Gaps;
use ntwatch_protocol::record::{KIND_SLOTS, Kind, MAX_RECORD_SIZE, PerKind};
use ntwatch_ring::Priority;
use ntwatch_ring::session::state;

/// What became of a session's events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedAccount {
    /// Events that were held against mask and filter.
    pub captured: PerKind,
    /// Of those, the ones left out.
    pub filtered: PerKind,
    /// Of those, the ones the ring had no room for.
    pub lost: PerKind,
    /// Of those, the ones that the client has.
    pub delivered: PerKind,
    /// Of those, the ones that wait in the ring.
    pub queued: PerKind,
}

impl FeedAccount {
    const ZERO: Self = Self {
        captured: [0; KIND_SLOTS],
        filtered: [0; KIND_SLOTS],
        lost: [0; KIND_SLOTS],
        delivered: [0; KIND_SLOTS],
        queued: [0; KIND_SLOTS],
    };

    /// A record was put into the ring.
    fn queue(&mut self, kind: Kind) {
        if kind != Kind::Lost {
            add(&mut self.queued, kind, 1);
        }
    }

    /// The client has one that was put into the ring.
    fn deliver(&mut self, kind: Kind) {
        if kind != Kind::Lost {
            sub(&mut self.queued, kind, 1);
            add(&mut self.delivered, kind, 1);
        }
    }
}

/// The worker's end of a session. It stays where it is, as it is too large to be moved about on a
/// kernel stack; sessions open and close in it.
pub struct Feed<'r> {
    open: Option<Open<'r>>,
    account: FeedAccount,
    gaps: Gaps,
}

/// What a feed has while its session is open.
struct Open<'r> {
    filter: Filter,
    queue: Queue<'r>,
}

impl<'r> Feed<'r> {
    /// No session.
    #[must_use]
    pub const fn closed() -> Self {
        Self {
            open: None,
            account: FeedAccount::ZERO,
            gaps: Gaps::NONE,
        }
    }

    /// Begins a session, which sees events from here on.
    pub fn open(&mut self, filter: Filter, queue: Queue<'r>) {
        self.open = Some(Open { filter, queue });
        self.account = FeedAccount::ZERO;
        self.gaps = Gaps::NONE;
    }

    /// Closes the session; its ring is free.
    pub fn close(&mut self) {
        self.open = None;
    }

    /// From here on the session wants other events.
    pub fn set_filter(&mut self, mut filter: Filter) {
        if let Some(open) = &mut self.open {
            filter.take_over(&mut open.filter);
            open.filter = filter;
        }
    }

    /// What the session asked for, while there is one.
    pub fn filter(&self) -> Option<&Filter> {
        Some(&self.open.as_ref()?.filter)
    }

    /// What became of the events so far.
    pub fn account(&mut self) -> &FeedAccount {
        if let Some(open) = &mut self.open {
            open.queue.settle(&mut self.account);
        }
        &self.account
    }

    /// Puts `event` into the ring if the session wants it and there is room; says whether it wants
    /// it. What there is no room for is missing from here on.
    pub fn offer(&mut self, event: &Event<'_>, upcase: impl Fn(u16) -> u16) -> bool {
        let Some(open) = &mut self.open else {
            return false;
        };
        let kind = event.kind();
        add(&mut self.account.captured, kind, 1);
        if !open.filter.passes(event, upcase) {
            add(&mut self.account.filtered, kind, 1);
            return false;
        }
        if !push(&mut open.queue, &mut self.gaps, event, &mut self.account) {
            add(&mut self.account.lost, kind, 1);
            self.gaps.lost_in_session(kind, event.seq, event.time);
        }
        true
    }

    /// Events were lost before they had a number. `seq` is that of the announcement. Says whether
    /// the session wanted any of them.
    pub fn lost_in_capture(&mut self, counts: &PerKind, seq: u64, time: i64) -> bool {
        let counts = masked(counts, self.filter().map_or(0, Filter::mask));
        if counts == [0; KIND_SLOTS] {
            return false;
        }
        self.gaps.lost_in_capture(&counts, seq, time);
        self.announce();
        true
    }

    /// Announces what is missing, if there is room for it.
    pub fn announce(&mut self) {
        if let Some(open) = &mut self.open {
            announce(&mut open.queue, &mut self.gaps, &mut self.account);
        }
    }

    /// Is a client that reads in place to be woken, for what it was offered since this was last
    /// asked? One that waits for much, at `wake_bytes`. Announces what is missing, or says in the
    /// ring that something is.
    #[must_use = "a client that is not woken sleeps on"]
    pub fn must_wake(&mut self, wake_bytes: u64) -> bool {
        self.announce();
        match &mut self.open {
            Some(open) => open.queue.must_wake(wake_bytes),
            None => false,
        }
    }

    /// Says to a client that reads in place that nothing more will come for it, and what is missing
    /// if there is room for that. It is to be woken.
    pub fn end(&mut self) {
        self.announce();
        if let Some(open) = &mut self.open {
            open.queue.end();
        }
    }
}

/// The record, after the announcement of what is missing before it; all of it or nothing.
fn push(
    queue: &mut Queue<'_>,
    gaps: &mut Gaps,
    event: &Event<'_>,
    account: &mut FeedAccount,
) -> bool {
    let kind = event.kind();
    let priority = match kind.has_reserve() {
        true => Priority::High,
        false => Priority::Normal,
    };
    if !gaps.is_empty() {
        let room = gaps.size().saturating_add(event.record.len());
        if !queue.fits(room, priority) {
            return false;
        }
        announce(queue, gaps, account);
    }
    gaps.is_empty() && queue.push(event.record, kind, priority, account)
}

/// Announces what is missing, if there is room for all of it, and says whether anything still is.
fn announce(queue: &mut Queue<'_>, gaps: &mut Gaps, account: &mut FeedAccount) {
    if !gaps.is_empty() && queue.fits(gaps.size(), Priority::High) {
        gaps.take(|record| {
            // There is room; should there be none after all, the counts still have the loss.
            let _ = queue.push(record, Kind::Lost, Priority::High, account);
        });
    }
    queue.say(state::GAP, !gaps.is_empty());
}

const _: () = assert!(reserve(ntwatch_protocol::configure::MIN_RING_SIZE as usize) > 0);
const _: () = assert!(MAX_RECORD_SIZE < ntwatch_protocol::configure::MIN_RING_SIZE as usize / 2);
