//! What became of the events, by kind.

use ntwatch_protocol::ioctl::Stats;
use ntwatch_protocol::record::{Kind, PerKind};
use serde::Serialize;

/// Each term of the account of one kind of event (see [`Stats`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Account {
    /// Events that a callback wanted to report while any session listened.
    pub offered: u64,
    /// Of those, the ones that the capture ring took.
    pub captured: u64,
    /// Of those, the ones that it had no room for.
    pub capture_lost: u64,
    /// Events that were held against this session's filter.
    pub session_captured: u64,
    /// Of those, the ones that reads have carried away.
    pub delivered: u64,
    /// Of those, the ones that the filter left out.
    pub filtered: u64,
    /// Of those, the ones that the session's ring had no room for.
    pub session_lost: u64,
    /// Of those, the ones that wait; closing the session discards them.
    pub queued: u64,
}

impl Account {
    /// The account of one kind.
    #[must_use]
    pub fn of(stats: &Stats, kind: Kind) -> Self {
        let term = |counts: &PerKind| counts[kind.index()];
        Self {
            offered: term(&stats.offered),
            captured: term(&stats.captured),
            capture_lost: term(&stats.capture_lost),
            session_captured: term(&stats.session_captured),
            delivered: term(&stats.delivered),
            filtered: term(&stats.filtered),
            session_lost: term(&stats.session_lost),
            queued: term(&stats.queued),
        }
    }

    /// Does nothing lack? *offered = captured + lost in capture*, and for the session *captured =
    /// delivered + filtered + lost + queued*.
    #[must_use]
    pub fn balances(&self) -> bool {
        let session = [
            self.delivered,
            self.filtered,
            self.session_lost,
            self.queued,
        ];
        sum(&[self.captured, self.capture_lost]) == Some(self.offered)
            && sum(&session) == Some(self.session_captured)
    }

    /// Events that this session should have had and has not.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.capture_lost.saturating_add(self.session_lost)
    }
}

/// `None` when the numbers cannot be counts of anything.
fn sum(terms: &[u64]) -> Option<u64> {
    terms
        .iter()
        .try_fold(0u64, |sum, term| sum.checked_add(*term))
}
