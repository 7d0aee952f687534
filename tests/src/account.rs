//! The one place where the tests hold the driver's account to its equations.

use nthost::ps::CallCount;
use ntwatch_protocol::ioctl::Stats;
use ntwatch_protocol::record::Kind;

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

/// The driver counted every call of its notify routine, as the kernel that made the calls did.
/// Holds whenever no callback runs, for a driver that was watched by a session since boot.
///
/// # Panics
/// When the two disagree.
pub fn assert_counts(stats: &Stats, calls: CallCount) {
    let offered = CallCount {
        starts: stats.offered[Kind::ProcessStart.index()],
        exits: stats.offered[Kind::ProcessExit.index()],
    };
    assert_eq!(offered, calls, "offered, and called by the kernel");
}
