//! What one session sees: the worker feeds its ring, its reads empty it.
//!
//! The two ends are apart so that neither waits for the other. Both count, and together their
//! counts are the session's account: *captured = delivered + filtered + lost + queued*.

use crate::account::{add, difference, masked};
use crate::event::Event;
use crate::filter::Filter;
use crate::gap::Gaps;
use ntwatch_protocol::record::{KIND_SLOTS, Kind, MAX_RECORD_SIZE, PerKind, RecordHeader};
use ntwatch_ring::{Priority, session};
use zerocopy::FromBytes;

/// Bytes of a session's ring that only process starts and exits, and the announcements of losses,
/// may use.
#[must_use]
pub const fn reserve(ring_size: usize) -> usize {
    ring_size / 8
}

/// What became of a session's events on the worker's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedAccount {
    /// Events that were held against mask and filter.
    pub captured: PerKind,
    /// Of those, the ones left out.
    pub filtered: PerKind,
    /// Of those, the ones the ring had no room for.
    pub lost: PerKind,
    /// Of those, the ones put into the ring.
    pub queued: PerKind,
}

impl FeedAccount {
    const ZERO: Self = Self {
        captured: [0; KIND_SLOTS],
        filtered: [0; KIND_SLOTS],
        lost: [0; KIND_SLOTS],
        queued: [0; KIND_SLOTS],
    };
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
    ring: session::Producer<'r>,
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
    pub fn open(&mut self, filter: Filter, ring: session::Producer<'r>) {
        self.open = Some(Open { filter, ring });
        self.account = FeedAccount::ZERO;
        self.gaps = Gaps::NONE;
    }

    /// Ends the session; its ring is free.
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
    pub const fn account(&self) -> &FeedAccount {
        &self.account
    }

    /// Puts `event` into the ring if the session wants it and there is room; says whether it did.
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
        let told = push(&mut open.ring, &mut self.gaps, event);
        if told {
            add(&mut self.account.queued, kind, 1);
        } else {
            add(&mut self.account.lost, kind, 1);
            self.gaps.lost_in_session(kind, event.seq, event.time);
        }
        told
    }

    /// Events were lost before they had a number. `seq` is that of the announcement.
    pub fn lost_in_capture(&mut self, counts: &PerKind, seq: u64, time: i64) {
        let counts = masked(counts, self.filter().map_or(0, Filter::mask));
        if counts != [0; KIND_SLOTS] {
            self.gaps.lost_in_capture(&counts, seq, time);
        }
    }

    /// Announces what is missing, if there is room for it; says whether it did.
    pub fn announce(&mut self) -> bool {
        match &mut self.open {
            Some(open) if !self.gaps.is_empty() => announce(&mut open.ring, &mut self.gaps),
            _ => false,
        }
    }
}

/// The record, after the announcement of what is missing before it; all of it or nothing.
fn push(ring: &mut session::Producer<'_>, gaps: &mut Gaps, event: &Event<'_>) -> bool {
    let priority = match event.kind().has_reserve() {
        true => Priority::High,
        false => Priority::Normal,
    };
    if !gaps.is_empty() {
        let room = gaps.size().saturating_add(event.record.len());
        if !ring.fits(room, priority) || !announce(ring, gaps) {
            return false;
        }
    }
    ring.push(event.record, priority).is_ok()
}

fn announce(ring: &mut session::Producer<'_>, gaps: &mut Gaps) -> bool {
    if !ring.fits(gaps.size(), Priority::High) {
        return false;
    }
    gaps.take(|record| {
        // There is room; should there be none after all, the counts still have the loss.
        let _ = ring.push(record, Priority::High);
    });
    true
}

/// Where a read puts records. Write-only: the client may change the memory at any time.
pub trait Output {
    /// Bytes that are left.
    fn room(&self) -> usize;
    /// Adds a record, of at most [`Self::room`] bytes.
    fn push(&mut self, record: &[u8]);
}

/// The reads' end of a session.
pub struct Reader<'r> {
    ring: session::Consumer<'r>,
    delivered: PerKind,
}

impl<'r> Reader<'r> {
    /// Nothing was read yet.
    pub fn new(ring: session::Consumer<'r>) -> Self {
        Self {
            ring,
            delivered: [0; KIND_SLOTS],
        }
    }

    /// Is there nothing to read?
    pub fn is_empty(&mut self) -> bool {
        self.ring.peek().is_none()
    }

    /// Moves whole records to `out`, as many as fit. One of [`MAX_RECORD_SIZE`] always takes one.
    pub fn read(&mut self, out: &mut impl Output) {
        while let Some(record) = self.ring.peek() {
            if record.len() > out.room() {
                break;
            }
            out.push(&record);
            let header = RecordHeader::read_from_prefix(&record);
            if let Ok((header, _)) = header
                && let Some(kind) = Kind::from_wire(header.kind)
                && kind != Kind::Lost
            {
                add(&mut self.delivered, kind, 1);
            }
            record.release();
        }
    }

    /// Events that reads have carried away.
    pub const fn delivered(&self) -> &PerKind {
        &self.delivered
    }

    /// Of what `feed` put into the ring, what is still there.
    pub fn queued(&self, feed: &FeedAccount) -> PerKind {
        difference(&feed.queued, &self.delivered)
    }
}

const _: () = assert!(reserve(ntwatch_protocol::configure::MIN_RING_SIZE as usize) > 0);
const _: () = assert!(MAX_RECORD_SIZE < ntwatch_protocol::configure::MIN_RING_SIZE as usize / 2);
