//! The one place where the tests hold the driver's account to its equations.

use nthost::ps::{CallCount, Ps};
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

/// The driver counted every call of its notify routines, as the kernel that made the calls did.
/// Holds whenever no callback runs, for a driver that was watched by a session since boot. (Of
/// handles the driver is told more often than it counts: its worker opens some itself.)
///
/// # Panics
/// When the two disagree.
pub fn assert_counts(stats: &Stats, ps: &Ps) {
    let offered = |kind: Kind| stats.offered[kind.index()];
    let offered_counts = |start, exit| CallCount {
        starts: offered(start),
        exits: offered(exit),
    };
    assert_eq!(
        offered_counts(Kind::ProcessStart, Kind::ProcessExit),
        ps.notify.calls(),
        "processes offered, and told of by the kernel"
    );
    assert_eq!(
        offered_counts(Kind::ThreadStart, Kind::ThreadExit),
        ps.thread_notify.calls(),
        "threads offered, and told of by the kernel"
    );
    assert_eq!(
        offered(Kind::ImageLoad),
        ps.image_notify.calls(),
        "images offered, and told of by the kernel"
    );
}
