//! Clocks.

use wdk_sys::LARGE_INTEGER;
use wdk_sys::ntddk::{KeQueryInterruptTimePrecise, KeQuerySystemTimePrecise};

/// 100 ns units since 1601, UTC (page "KeQuerySystemTimePrecise"). Any IRQL.
pub(crate) fn system_time() -> i64 {
    let mut now = LARGE_INTEGER::default();
    // SAFETY: `now` is ours to write.
    unsafe { KeQuerySystemTimePrecise(&raw mut now) };
    // SAFETY: every bit pattern is a number.
    unsafe { now.QuadPart }
}

/// 100 ns units since the system started (page "KeQueryInterruptTimePrecise"). Any IRQL.
pub(crate) fn interrupt_time() -> u64 {
    let mut counter = 0;
    // SAFETY: `counter` is ours to write.
    unsafe { KeQueryInterruptTimePrecise(&raw mut counter) }
}
