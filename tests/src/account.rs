//! The one place where the tests hold the driver's account to its equations.

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
