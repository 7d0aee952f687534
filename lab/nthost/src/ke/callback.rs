//! How the kernel calls routines that drivers registered.

use crate::Current;
use crate::ke::{PASSIVE_LEVEL, bug_check};

/// Runs `call`, a driver's routine that is `named`, with normal kernel APCs disabled. The routine
/// has to leave at the IRQL and in the regions that it was called in.
pub(crate) fn call_back<R>(named: &str, call: impl FnOnce() -> R) -> R {
    let state = || Current::with(|c| (c.thread.ke.irql(), c.thread.ke.regions()));
    Current::with(|current| current.thread.ke.enter_critical_region());
    let before = state();
    let result = call();
    let after = state();
    if before != after {
        bug_check!(
            IRQL_NOT_LESS_OR_EQUAL,
            "a {named} routine came at (IRQL, regions) {before:?} and left at {after:?}"
        );
    }
    Current::with(|current| current.thread.ke.leave_critical_region());
    result
}

/// As [`call_back`], for routines that are only called at PASSIVE_LEVEL.
pub(crate) fn call_back_at_passive<R>(named: &str, call: impl FnOnce() -> R) -> R {
    let irql = Current::with(|current| current.thread.ke.irql());
    assert_eq!(
        irql, PASSIVE_LEVEL,
        "a {named} routine is only called at PASSIVE_LEVEL"
    );
    call_back(named, call)
}
