//! Counters and accounts as text.

use crate::pretty::ByKind;
use ntwatch_client::event::Counts;
use ntwatch_client::hash::HashCounts;
use ntwatch_client::protocol::ioctl::Stats;
use ntwatch_client::protocol::record::Kind;
use ntwatch_client::stats::Account;
use ntwatch_client::time::Time;
use ntwatch_client::transport::Host;
use ntwatch_client::{Condition, Driver, End, Error, Filter, Route, Watch};
use std::fmt;
use std::fmt::Write;
use std::time::Duration;

/// What `watch` says when it ends.
pub(crate) struct Summary {
    shown: u64,
    unshown: u64,
    time: Duration,
    shut_down: bool,
    received: Counts,
    transport: String,
    hashes: Option<HashCounts>,
    filtered: Option<String>,
    /// Events that this session should have had and has not.
    lost: u64,
    stats: Result<Stats, Error>,
}

impl Summary {
    /// Of a stream that has ended.
    pub(crate) fn new(
        watch: &Watch,
        shown: u64,
        time: Duration,
        stats: Result<Stats, Error>,
    ) -> Self {
        Self {
            shown,
            unshown: read_ahead(watch).saturating_sub(shown),
            time,
            shut_down: watch.end() == Some(End::DriverShutdown),
            received: *watch.received(),
            transport: watch.route().to_string(),
            hashes: watch.hashes().copied(),
            filtered: None,
            lost: watch.lost(stats.as_ref().ok()),
            stats,
        }
    }

    /// Is it certain that nothing was lost?
    pub(crate) fn is_whole(&self) -> bool {
        let arrived = |stats| balances(stats) && self.all_arrived(stats);
        self.lost == 0 && self.stats.as_ref().is_ok_and(arrived)
    }

    /// Was all received that the driver has delivered?
    fn all_arrived(&self, stats: &Stats) -> bool {
        Kind::EVENTS
            .into_iter()
            .all(|kind| Account::of(stats, kind).delivered == self.received.0[kind.index()])
    }

    /// Tells who left out what: the driver by `filter`, and so many this client by `condition`.
    pub(crate) fn filtered(self, filter: &Filter, condition: &Condition, left_out: u64) -> Self {
        let filtered = format!(
            "the driver sent: {filter}\nntwatch left out {left_out} that are not: {condition}\n"
        );
        Self {
            unshown: self.unshown.saturating_sub(left_out),
            filtered: Some(filtered),
            ..self
        }
    }
}

/// Of the kinds that are shown, all that came.
fn read_ahead(watch: &Watch) -> u64 {
    let shown = Kind::EVENTS.into_iter().filter(|kind| watch.shows(*kind));
    shown.map(|kind| watch.received().0[kind.index()]).sum()
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.time.as_secs_f64();
        let digits = if seconds < 1.0 { 3 } else { 1 };
        write!(
            f,
            "ntwatch: {} events in {seconds:.digits$} s, {} lost",
            self.shown, self.lost
        )?;
        if self.unshown != 0 {
            write!(f, "; {} more had been read", self.unshown)?;
        }
        if self.shut_down {
            write!(f, "; the driver is shutting down")?;
        }
        writeln!(f, "\ntransport: {}", self.transport)?;
        if let Some(HashCounts {
            found,
            unreadable,
            late,
        }) = self.hashes
        {
            writeln!(
                f,
                "hashes: {found} found, {unreadable} not readable, {late} late"
            )?;
        }
        f.write_str(self.filtered.as_deref().unwrap_or_default())?;
        let stats = match &self.stats {
            Ok(stats) => stats,
            Err(error) => return writeln!(f, "no account of them: {error}"),
        };
        f.write_str(&table(stats))?;
        if balances(stats) {
            writeln!(f, "The account balances: {EQUATIONS}.")?;
        } else {
            writeln!(f, "THE ACCOUNT DOES NOT BALANCE: {EQUATIONS}.")?;
        }
        if !self.all_arrived(stats) {
            let received = ByKind(&self.received);
            writeln!(f, "NOT ALL THAT WAS DELIVERED ARRIVED: {received}.")?;
        }
        Ok(())
    }
}

fn balances(stats: &Stats) -> bool {
    let accounts = Kind::EVENTS.map(|kind| Account::of(stats, kind));
    accounts.iter().all(Account::balances)
}

const EQUATIONS: &str = "offered = captured + lost, session = delivered + filtered + lost + left";

/// The account of each kind, as a table of 78 columns.
fn table(stats: &Stats) -> String {
    let mut text = format!(
        "{:<13} {:>8} {:>8} {:>5}  {:>8} {:>9} {:>8} {:>5} {:>5}\n",
        "", "offered", "captured", "lost", "session", "delivered", "filtered", "lost", "left"
    );
    for kind in Kind::EVENTS {
        let a = Account::of(stats, kind);
        let _ = writeln!(
            text,
            "{:<13} {:>8} {:>8} {:>5}  {:>8} {:>9} {:>8} {:>5} {:>5}",
            kind.name(),
            a.offered,
            a.captured,
            a.capture_lost,
            a.session_captured,
            a.delivered,
            a.filtered,
            a.session_lost,
            a.queued
        );
    }
    text
}

/// What `stats` says. Its own session has seen nothing, so only the driver's terms count; `route` is
/// the way that events would come by.
pub(crate) fn stats(stats: &Stats, route: &Route) -> String {
    let mut text = format!(
        "{:<14} {:>10} {:>10} {:>10}\n",
        "", "offered", "captured", "lost"
    );
    for kind in Kind::EVENTS {
        let Account {
            offered,
            captured,
            capture_lost,
            ..
        } = Account::of(stats, kind);
        let name = kind.name();
        let _ = writeln!(
            text,
            "{name:<14} {offered:>10} {captured:>10} {capture_lost:>10}"
        );
    }
    let _ = writeln!(
        text,
        "{others} sessions besides this one, {mapped} of them mapped.\n\
         transport: {route}",
        others = stats.sessions.saturating_sub(1),
        mapped = stats.mapped_sessions,
    );
    text
}

/// As [`stats`], for programs.
pub(crate) fn stats_json(stats: &Stats, route: &Route) -> String {
    let kinds: serde_json::Map<_, _> = Kind::EVENTS
        .into_iter()
        .map(|kind| {
            let a = Account::of(stats, kind);
            let terms = serde_json::json!({
                "offered": a.offered,
                "captured": a.captured,
                "lost": a.capture_lost,
            });
            (kind.name().to_owned(), terms)
        })
        .collect();
    let line = serde_json::json!({
        "sessions": stats.sessions,
        "mapped_sessions": stats.mapped_sessions,
        "transport": route.name(),
        "not_mapped": route.why_not_mapped().map(ToString::to_string),
        "next_seq": stats.next_seq,
        "capture_ring_size": stats.capture_ring_size,
        "events": kinds,
    });
    format!("{line}\n")
}

/// What `status` says.
pub(crate) fn status(driver: &Driver, host: &Host, stats: &Stats) -> String {
    let version = driver.version();
    let [major, minor, patch, build] = version.driver_version;
    let kinds: Vec<_> = Kind::EVENTS
        .into_iter()
        .filter(|kind| version.kinds & kind.bit() != 0)
        .map(Kind::name)
        .collect();
    // Terminals have 80 columns at least.
    let kinds: Vec<_> = kinds.chunks(4).map(|row| row.join(", ")).collect();
    let boot = host
        .boot_time
        .map_or_else(|| "not known".into(), |time| time.to_string());
    format!(
        "{device} on {host} answers.\n\
         driver    {major}.{minor}.{patch}.{build}, protocol {protocol}.{protocol_minor}\n\
         loaded    {loaded}\n\
         booted    {boot}\n\
         events    {kinds}\n\
         sessions  {sessions} besides this one\n",
        device = driver.device(),
        host = host.name,
        protocol = version.protocol_major,
        protocol_minor = version.protocol_minor,
        loaded = Time(version.driver_load_id.cast_signed()),
        kinds = kinds.join(",\n          "),
        sessions = stats.sessions.saturating_sub(1),
    )
}
