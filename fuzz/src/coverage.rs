//! Which edges of the control flow were taken, where the program was built to count that: with
//! LLVM's 8-bit counters (Clang's documentation, "SanitizerCoverage"). See the crate's page.
#![allow(unsafe_code)]

use std::slice;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};

/// How often each edge of a module was taken since they were last looked at, up to 255 times.
type Counters = &'static [AtomicU8];

static MODULES: Mutex<Vec<Counters>> = Mutex::new(Vec::new());

/// For each edge how often it was ever taken in one run, as a set of magnitudes.
static SEEN: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Each module that counts calls this when it is loaded, maybe more than once.
///
/// # Safety
/// From `start` to `stop` there are counters that stay, and that are written one by one.
// The name is LLVM's, for this very function; nobody else in the program defines it.
#[unsafe(no_mangle)]
unsafe extern "C" fn __sanitizer_cov_8bit_counters_init(
    start: *const AtomicU8,
    stop: *const AtomicU8,
) {
    // SAFETY: both are of one array, as the caller promises.
    let len = unsafe { stop.offset_from(start) };
    // SAFETY: counters that stay, as the caller promises; that other code counts in them without
    // atomic instructions loses counts at worst, as the compiler sees none of both.
    let counters: Counters = unsafe { slice::from_raw_parts(start, len.unsigned_abs()) };
    let mut modules = MODULES.lock().expect("nothing panics here");
    if modules.iter().all(|known| known.as_ptr() != start) {
        modules.push(counters);
    }
}

/// Forgets what was taken.
pub(crate) fn forget() {
    is_new();
    SEEN.lock().expect("nothing panics here").fill(0);
}

/// Was anything taken since the last call, or as often, that never was before?
pub(crate) fn is_new() -> bool {
    let modules = MODULES.lock().expect("nothing panics here");
    let mut seen = SEEN.lock().expect("nothing panics here");
    seen.resize(modules.iter().map(|module| module.len()).sum(), 0);
    let mut new = false;
    for (counter, seen) in modules.iter().copied().flatten().zip(seen.iter_mut()) {
        let count = counter.load(Ordering::Relaxed);
        if count != 0 {
            counter.store(0, Ordering::Relaxed);
            let magnitude = 1 << count.ilog2();
            new |= *seen & magnitude == 0;
            *seen |= magnitude;
        }
    }
    new
}

/// How many edges were taken; `None` in a program that does not count.
pub(crate) fn reached() -> Option<usize> {
    let seen = SEEN.lock().expect("nothing panics here");
    (!seen.is_empty()).then(|| seen.iter().filter(|seen| **seen != 0).count())
}
