//! How far the clients are that watch: by the driver's public counters, asked for on their own
//! handles.

use super::Stage;
use crate::io::FileHandle;
use ntwatch_protocol::ioctl::{GET_STATS, Stats};
use ntwatch_protocol::record::PerKind;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::thread;
use std::time::Duration;
use zerocopy::FromBytes;

/// The sessions that were configured and are still open.
#[derive(Default)]
pub struct Sessions {
    open: Mutex<Vec<Session>>,
    changed: Condvar,
    had_one: AtomicBool,
}

struct Session {
    handle: Weak<FileHandle>,
    /// Events settled for this session when it began, offered less lost in capture.
    before: u64,
}

/// How long a source waits before it looks again, or asks again.
const LOOK_AGAIN: Duration = Duration::from_micros(300);
const LISTEN_AGAIN: Duration = Duration::from_millis(50);

fn sum(counters: &PerKind) -> u64 {
    counters.iter().sum()
}

fn stats(handle: &FileHandle) -> Option<Stats> {
    let answer = handle.ioctl(GET_STATS, &[], size_of::<Stats>());
    Stats::read_from_prefix(&answer.output)
        .ok()
        .map(|(stats, _)| stats)
}

fn captured_or_pending(stats: &Stats) -> u64 {
    sum(&stats.offered).saturating_sub(sum(&stats.capture_lost))
}

impl Session {
    /// Events that were offered since the session began and have no fate yet.
    fn undelivered(&self, handle: &FileHandle) -> Option<u64> {
        let stats = stats(handle)?;
        let settled = sum(&stats.delivered) + sum(&stats.filtered) + sum(&stats.session_lost);
        Some(captured_or_pending(&stats).saturating_sub(self.before + settled))
    }
}

impl Sessions {
    /// A session was configured on this handle, perhaps anew.
    pub fn configured(&self, handle: &Arc<FileHandle>) {
        let known = |session: &Session| session.handle.ptr_eq(&Arc::downgrade(handle));
        if self.open.lock().unwrap().iter().any(known) {
            return;
        }
        let Some(stats) = stats(handle) else { return };
        self.open.lock().unwrap().push(Session {
            handle: Arc::downgrade(handle),
            before: captured_or_pending(&stats),
        });
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

    /// How many events the slowest session has yet to read; `None` when nobody watches.
    pub fn undelivered(&self) -> Option<u64> {
        let handles: Vec<_> = {
            let mut open = self.open.lock().unwrap();
            open.retain(|session| session.handle.strong_count() > 0);
            let handle = |s: &Session| Some((s.handle.upgrade()?, s.before));
            open.iter().filter_map(handle).collect()
        };
        let undelivered = |(handle, before): &(Arc<FileHandle>, u64)| {
            let session = Session {
                handle: Weak::new(),
                before: *before,
            };
            session.undelivered(handle)
        };
        handles.iter().filter_map(undelivered).max()
    }

    /// Waits until everything is read, nobody watches any more, or `stopped` says so.
    pub fn wait_until_read(&self, stopped: impl Fn() -> bool) {
        while self.undelivered().is_some_and(|events| events > 0) && !stopped() {
            thread::sleep(LOOK_AGAIN);
        }
    }
}

/// A bound on what is made and not yet read, so that the smallest ring holds it.
#[derive(Default)]
pub(super) struct Window {
    /// Bytes of the events that were made last, the newest at the end.
    made: VecDeque<usize>,
}

/// Half of the smallest ring that a session can have.
const WINDOW: usize = 512 * 1024;

impl Window {
    /// Waits until an event of `size` bytes fits, then counts it in. While nobody watches there
    /// is no room. `false` when the source has to end.
    pub(super) fn admit(&mut self, size: usize, stage: &Stage<'_>) -> bool {
        while !stage.stopped() {
            let Some(undelivered) = stage.sessions.undelivered() else {
                if stage.once && stage.sessions.had_one() {
                    return false;
                }
                stage.sessions.wait_for_one(|| stage.stopped());
                continue;
            };
            while self.made.len() as u64 > undelivered {
                self.made.pop_front();
            }
            if self.made.is_empty() || self.made.iter().sum::<usize>() + size <= WINDOW {
                self.made.push_back(size);
                return true;
            }
            thread::sleep(LOOK_AGAIN);
        }
        false
    }
}
