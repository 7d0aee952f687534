//! The one place where the tests hold the driver's account to its equations, and to what others
//! know: the client that read the events, and the kernel that told the driver of them.

use nthost::Kernel;
use nthost::ps::CallCount;
use ntwatch_protocol::ioctl::Stats;
use ntwatch_protocol::lost::stage;
use ntwatch_protocol::reader::Record;
use ntwatch_protocol::record::{KIND_SLOTS, Kind, PerKind};

/// *offered = captured + lost in capture*, and for the session *captured = delivered + filtered +
/// lost in session + queued*, for each kind. Holds whenever no callback runs.
///
/// # Panics
/// With the kind and all its terms, when it does not balance.
pub fn assert_balances(stats: &Stats) {
    for kind in Kind::EVENTS {
        let at = kind.index();
        let name = kind.name();
        let (offered, captured, lost) = (
            stats.offered[at],
            stats.captured[at],
            stats.capture_lost[at],
        );
        assert_eq!(
            offered,
            captured + lost,
            "{name}: {offered} = {captured} + {lost}"
        );
        let captured = stats.session_captured[at];
        let (delivered, filtered) = (stats.delivered[at], stats.filtered[at]);
        let (lost, queued) = (stats.session_lost[at], stats.queued[at]);
        assert_eq!(
            captured,
            delivered + filtered + lost + queued,
            "{name}: {captured} = {delivered} + {filtered} + {lost} + {queued}"
        );
    }
}

/// What a client has really read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Events, by kind.
    pub events: PerKind,
    /// Events that were said to be lost for this session.
    pub session_lost: PerKind,
    /// Events that were said to be lost for everybody.
    pub capture_lost: PerKind,
}

impl Tally {
    /// Counts a record.
    pub fn add(&mut self, record: &Record<'_>) {
        let Record::Lost(lost) = record else {
            self.events[usize::from(record.header().kind) % KIND_SLOTS] += 1;
            return;
        };
        let announced = match lost.stage {
            stage::SESSION => &mut self.session_lost,
            _ => &mut self.capture_lost,
        };
        for (announced, count) in announced.iter_mut().zip(lost.counts) {
            *announced += count;
        }
    }
}

/// The account balances, and says of the session what its client has seen: every event that was
/// delivered, every loss that was counted.
///
/// # Panics
/// When it says something else.
pub fn assert_accounts_for(stats: &Stats, tally: &Tally) {
    assert_balances(stats);
    assert_eq!(stats.delivered, tally.events, "delivered, and read");
    assert_eq!(
        stats.session_lost, tally.session_lost,
        "lost in the session, and announced"
    );
}

/// The driver counted every call of its routines, as the kernel that made the calls did. Holds
/// whenever no callback runs, for a driver that was watched by a session since boot.
///
/// # Panics
/// When the two disagree.
pub fn assert_counts(stats: &Stats, kernel: &Kernel) {
    let offered = |kind: Kind| stats.offered[kind.index()];
    let offered_counts = |start, exit| CallCount {
        starts: offered(start),
        exits: offered(exit),
    };
    assert_eq!(
        offered_counts(Kind::ProcessStart, Kind::ProcessExit),
        kernel.ps.notify.calls(),
        "processes offered, and told of by the kernel"
    );
    assert_eq!(
        offered_counts(Kind::ThreadStart, Kind::ThreadExit),
        kernel.ps.thread_notify.calls(),
        "threads offered, and told of by the kernel"
    );
    assert_eq!(
        offered(Kind::ImageLoad),
        kernel.ps.image_notify.calls(),
        "images offered, and told of by the kernel"
    );
}

/// As [`assert_counts`], for handles: of those the driver leaves out what nobody wants, so it has
/// every one only while a session asks for every open.
///
/// # Panics
/// When the two disagree.
pub fn assert_counts_every_open(stats: &Stats, kernel: &Kernel) {
    assert_eq!(
        stats.offered[Kind::HandleOpen.index()],
        kernel.ob.posts(),
        "handles offered, and told of by the kernel"
    );
}
