//! System time: the host's, or one that a replay sets.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::Current;
use crate::exports::exports;

exports! {
    HIGH_LEVEL: KeQuerySystemTimePrecise, KeQueryInterruptTimePrecise, KeQueryPerformanceCounter;
}

/// 100 ns units from 1601 to 1970.
const UNIX_EPOCH_SINCE_1601: i64 = 116_444_736_000_000_000;

/// The machine's clock. Times are in 100 ns units since 1601, UTC.
#[derive(Debug)]
pub struct Clock {
    /// The time that was set; 0 follows the host.
    set: AtomicI64,
    booted: Instant,
}

impl Clock {
    pub(crate) fn new(time: Option<i64>) -> Clock {
        Clock {
            set: AtomicI64::new(time.unwrap_or(0)),
            booted: Instant::now(),
        }
    }

    /// The time now.
    pub fn now(&self) -> i64 {
        match self.set.load(Ordering::Relaxed) {
            0 => host_time(),
            time => time,
        }
    }

    /// Sets the time; it stands still until it is set again.
    pub fn set(&self, time: i64) {
        self.set.store(time, Ordering::Relaxed);
    }
}

fn host_time() -> i64 {
    let since_1970 = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    UNIX_EPOCH_SINCE_1601 + (since_1970.as_nanos() / 100) as i64
}

/// Any IRQL.
unsafe extern "win64" fn KeQuerySystemTimePrecise(time: *mut i64) {
    let now = Current::with(|current| current.kernel.clock.now());
    // SAFETY: the driver passes a place for the time.
    unsafe { time.write(now) };
}

/// Any IRQL. 100 ns units since boot; the counter also receives the performance counter.
unsafe extern "win64" fn KeQueryInterruptTimePrecise(counter: *mut u64) -> u64 {
    let since_boot = Current::with(|current| current.kernel.clock.booted.elapsed());
    let time = (since_boot.as_nanos() / 100) as u64;
    // SAFETY: the driver passes a place for the counter.
    unsafe { counter.write(time) };
    time
}

/// Any IRQL. Counts 100 ns units since boot, as the system timer of current machines does.
unsafe extern "win64" fn KeQueryPerformanceCounter(frequency: *mut i64) -> i64 {
    if !frequency.is_null() {
        // SAFETY: not null, so the driver passes a place for the frequency.
        unsafe { frequency.write(10_000_000) };
    }
    let since_boot = Current::with(|current| current.kernel.clock.booted.elapsed());
    (since_boot.as_nanos() / 100) as i64
}
