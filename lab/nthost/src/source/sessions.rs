//! How far the clients are that watch: by the driver's public counters, asked for on their own
//! handles.

use crate::io::FileHandle;
use ntwatch_protocol::ioctl::{GET_STATS, Stats};
use ntwatch_protocol::record::PerKind;
use std::array;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant};
use zerocopy::FromBytes;

/// The sessions that were configured and are still open.
///
/// One that has something to read and reads nothing for five seconds is stalled. It holds up the
/// source no longer, unless all are stalled, until it reads on: what it misses is counted and said
/// in its stream, as on any machine.
#[derive(Default)]
pub struct Sessions {
    open: Mutex<Vec<Arc<Session>>>,
    changed: Condvar,
    had_one: AtomicBool,
}

struct Session {
    handle: Weak<FileHandle>,
    /// Events settled when it began, offered less lost in capture.
    before: PerKind,
    progress: Mutex<Progress>,
}

/// How long a session may read nothing.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a source waits before it looks again, or asks again.
pub(super) const LOOK_AGAIN: Duration = Duration::from_micros(300);
const LISTEN_AGAIN: Duration = Duration::from_millis(50);

/// Events that were offered since a session began and have no fate yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Backlog {
    events: PerKind,
    stalled: bool,
}

/// How long a session has not got any further.
#[derive(Debug)]
struct Progress {
    settled: u64,
    looked_at: Instant,
    idle: Duration,
}

impl Progress {
    fn new(settled: u64, now: Instant) -> Progress {
        Progress {
            settled,
            looked_at: now,
            idle: Duration::ZERO,
        }
    }

    /// Is a session stalled that has settled so many events by `now`, and has some `waiting` or
    /// not?
    fn is_stalled(&mut self, settled: u64, waiting: bool, now: Instant) -> bool {
        if !waiting || self.settled != settled {
            *self = Progress::new(settled, now);
            return false;
        }
        // While nobody looked the client may have had no time either.
        self.idle += now.duration_since(self.looked_at).min(LISTEN_AGAIN);
        self.looked_at = now;
        self.idle >= PATIENCE
    }
}

fn stats(handle: &FileHandle) -> Option<Stats> {
    let answer = handle.ioctl(GET_STATS, &[], size_of::<Stats>());
    Stats::read_from_prefix(&answer.output)
        .ok()
        .map(|(stats, _)| stats)
}

fn captured_or_pending(stats: &Stats) -> PerKind {
    array::from_fn(|kind| stats.offered[kind].saturating_sub(stats.capture_lost[kind]))
}

impl Session {
    /// `None` when it is closed.
    fn backlog(&self) -> Option<Backlog> {
        let stats = stats(&*self.handle.upgrade()?)?;
        let settled: PerKind = array::from_fn(|kind| {
            stats.delivered[kind] + stats.filtered[kind] + stats.session_lost[kind]
        });
        let offered = captured_or_pending(&stats);
        let events: PerKind =
            array::from_fn(|kind| offered[kind].saturating_sub(self.before[kind] + settled[kind]));
        let waiting = events != PerKind::default();
        let mut progress = self.progress.lock().unwrap();
        let stalled = progress.is_stalled(settled.iter().sum(), waiting, Instant::now());
        Some(Backlog { events, stalled })
    }
}

/// The longest backlog of each kind, of those who read; of all if nobody does. `None` of none.
fn longest(backlogs: &[Backlog]) -> Option<PerKind> {
    let all_stalled = backlogs.iter().all(|backlog| backlog.stalled);
    backlogs
        .iter()
        .filter(|backlog| all_stalled || !backlog.stalled)
        .map(|backlog| backlog.events)
        .reduce(|a, b| array::from_fn(|kind| a[kind].max(b[kind])))
}

impl Sessions {
    /// A session was configured on this handle, perhaps anew.
    pub fn configured(&self, handle: &Arc<FileHandle>) {
        let known = |session: &Arc<Session>| session.handle.ptr_eq(&Arc::downgrade(handle));
        if self.open.lock().unwrap().iter().any(known) {
            return;
        }
        let Some(stats) = stats(handle) else { return };
        let session = Session {
            handle: Arc::downgrade(handle),
            before: captured_or_pending(&stats),
            progress: Mutex::new(Progress::new(0, Instant::now())),
        };
        self.open.lock().unwrap().push(Arc::new(session));
        self.had_one.store(true, Ordering::Relaxed);
        self.changed.notify_all();
    }

    /// Waits until somebody watches, or `stopped` says that there is no use.
    pub fn wait_for_one(&self, stopped: impl Fn() -> bool) {
        let mut open = self.open.lock().unwrap();
        while open.is_empty() && !stopped() {
            open = self.changed.wait_timeout(open, LISTEN_AGAIN).unwrap().0;
        }
    }

    /// Did anybody ever watch?
    pub fn had_one(&self) -> bool {
        self.had_one.load(Ordering::Relaxed)
    }

    /// The handles of those who watch.
    pub fn handles(&self) -> Vec<Arc<FileHandle>> {
        let open = self.open.lock().unwrap();
        let handle = |session: &Arc<Session>| session.handle.upgrade();
        open.iter().filter_map(handle).collect()
    }

    /// Does anybody watch?
    pub fn has_one(&self) -> bool {
        let mut open = self.open.lock().unwrap();
        open.retain(|session| session.handle.strong_count() > 0);
        !open.is_empty()
    }

    /// How many events of each kind the slowest session has yet to read, but for those that are
    /// stalled; `None` when nobody watches.
    pub fn undelivered(&self) -> Option<PerKind> {
        if !self.has_one() {
            return None;
        }
        // The handle of a client that leaves now may close here; that is not done with the lock.
        let open = self.open.lock().unwrap().clone();
        let backlogs: Vec<_> = open
            .iter()
            .filter_map(|session| session.backlog())
            .collect();
        longest(&backlogs)
    }

    /// Waits until everything is read, nobody watches any more, or `stopped` says so.
    pub fn wait_until_read(&self, stopped: impl Fn() -> bool) {
        let waits = || self.undelivered().is_some_and(|e| e != PerKind::default());
        while waits() && !stopped() {
            thread::sleep(LOOK_AGAIN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backlog(events: [u64; 2], stalled: bool) -> Backlog {
        let mut all = PerKind::default();
        all[..2].copy_from_slice(&events);
        Backlog {
            events: all,
            stalled,
        }
    }

    #[test]
    fn a_session_is_stalled_that_has_something_to_read_and_does_not_for_long() {
        let mut now = Instant::now();
        let mut progress = Progress::new(7, now);
        let mut looks = 0;
        while !progress.is_stalled(7, true, now) {
            looks += 1;
            now += LISTEN_AGAIN;
        }
        assert_eq!(LISTEN_AGAIN * looks, PATIENCE);
        assert!(!progress.is_stalled(8, true, now));
        assert!(
            !progress.is_stalled(8, true, now + 2 * PATIENCE),
            "nobody looked"
        );
        assert!(!progress.is_stalled(8, false, now + 3 * PATIENCE));
    }

    #[test]
    fn the_slowest_counts_unless_it_is_stalled_and_another_reads() {
        let [few, many, stalled] = [
            backlog([1, 5], false),
            backlog([9, 2], false),
            backlog([90, 0], true),
        ];
        assert_eq!(longest(&[]), None);
        assert_eq!(
            longest(&[few, many, stalled]),
            Some(backlog([9, 5], false).events)
        );
        assert_eq!(longest(&[stalled]), Some(stalled.events));
    }
}
