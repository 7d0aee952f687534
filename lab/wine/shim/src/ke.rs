//! Clocks, and what there is of IRQL.

use std::sync::OnceLock;
use std::time::Instant;
use windows_sys::Win32::Foundation::FILETIME;
use windows_sys::Win32::System::SystemInformation::{
    GetSystemTimePreciseAsFileTime, GetTickCount64,
};

/// Page "KeGetCurrentIrql". N.B. Wine has none: nothing ever runs above PASSIVE_LEVEL.
#[unsafe(no_mangle)]
extern "system" fn KeGetCurrentIrql() -> u8 {
    0
}

/// In units of 100 ns, since 1601.
pub(crate) fn system_time() -> i64 {
    let mut now = FILETIME::default();
    // SAFETY: ours to write.
    unsafe { GetSystemTimePreciseAsFileTime(&raw mut now) };
    i64::from(now.dwHighDateTime) << 32 | i64::from(now.dwLowDateTime)
}

/// Page "KeQuerySystemTimePrecise".
///
/// # Safety
/// A place for the time, of 8 bytes.
#[unsafe(no_mangle)]
unsafe extern "system" fn KeQuerySystemTimePrecise(time: *mut i64) {
    // SAFETY: the caller's promise.
    unsafe { time.write_unaligned(system_time()) };
}

/// Page "KeQueryInterruptTimePrecise": in units of 100 ns, since about when the system started. N.B. The
/// counter is given in the same units: nobody here reads it.
///
/// # Safety
/// Null, or a place for the performance counter.
#[unsafe(no_mangle)]
unsafe extern "system" fn KeQueryInterruptTimePrecise(counter: *mut u64) -> u64 {
    static BEGAN: OnceLock<(Instant, u64)> = OnceLock::new();
    // SAFETY: takes nothing.
    let (began, at) = BEGAN.get_or_init(|| (Instant::now(), unsafe { GetTickCount64() } * 10_000));
    let now = at + began.elapsed().as_nanos() as u64 / 100;
    if !counter.is_null() {
        // SAFETY: the caller's promise.
        unsafe { counter.write_unaligned(now) };
    }
    now
}
