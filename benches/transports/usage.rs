//! What this process has used.

use std::mem::MaybeUninit;
use std::time::{Duration, Instant};

/// Used in between two looks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// On the wall.
    pub(crate) elapsed: Duration,
    /// On any core.
    pub(crate) cpu: Duration,
    /// How often it gave up its core to wait.
    pub(crate) waits: u64,
}

/// A look at what was used so far.
pub(crate) struct Look {
    at: Instant,
    cpu: Duration,
    waits: u64,
}

impl Look {
    pub(crate) fn now() -> Self {
        let mut usage = MaybeUninit::uninit();
        // SAFETY: there is room for the structure.
        let status = unsafe { libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) };
        assert_eq!(status, 0, "getrusage: {}", std::io::Error::last_os_error());
        // SAFETY: it succeeded, and wrote all of it.
        let usage: libc::rusage = unsafe { usage.assume_init() };
        Self {
            at: Instant::now(),
            cpu: duration(usage.ru_utime) + duration(usage.ru_stime),
            waits: usage.ru_nvcsw as u64,
        }
    }

    /// What was used since.
    pub(crate) fn usage(&self) -> Usage {
        let now = Self::now();
        Usage {
            elapsed: now.at - self.at,
            cpu: now.cpu - self.cpu,
            waits: now.waits - self.waits,
        }
    }
}

fn duration(time: libc::timeval) -> Duration {
    Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64)
}
