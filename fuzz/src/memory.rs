//! How much memory an input takes.

use peak_alloc::PeakAlloc;

/// Every allocation of a program that fuzzes.
#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Calls `body`, and gives what it returns and how many bytes more than before were allocated at
/// once. N.B. Other threads count too.
pub fn peak_of<R>(body: impl FnOnce() -> R) -> (R, usize) {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let result = body();
    (result, MEMORY.peak_usage().saturating_sub(before))
}
