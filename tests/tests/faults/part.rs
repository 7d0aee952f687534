//! How much of a sweep is run.

use std::env;

/// All of `cases` if `NTWATCH_FAULTS` is `all`; otherwise not more than `most`, spread evenly.
pub(crate) fn part<T>(cases: Vec<T>, most: usize) -> Vec<T> {
    if env::var_os("NTWATCH_FAULTS").is_some_and(|which| which == "all") {
        return cases;
    }
    let step = cases.len().div_ceil(most).max(1);
    cases.into_iter().step_by(step).collect()
}
