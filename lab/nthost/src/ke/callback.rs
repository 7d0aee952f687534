//! How the kernel calls routines of drivers.

use crate::Current;
use crate::ke::{PASSIVE_LEVEL, bug_check};
use std::fmt;

/// What a routine has to leave as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    irql: u8,
    /// Critical and guarded regions.
    regions: i32,
    /// Held, on a machine that verifies.
    locks: usize,
}

impl Standing {
    /// That of the current thread.
    pub(crate) fn now() -> Standing {
        Current::with(|current| {
            let state = &current.thread.ke;
            Standing {
                irql: state.irql(),
                regions: state.regions(),
                locks: state.held.count(),
            }
        })
    }

    /// Stops the machine if it is another now that a routine, `named` so, has returned.
    pub(crate) fn assert_kept(self, named: impl fmt::Display) {
        let now = Standing::now();
        if now != self {
            let held = Current::with(|current| current.thread.ke.held.to_string());
            bug_check!(
                DRIVER_VERIFIER_DETECTED_VIOLATION,
                "{named} routine came at {self} and left at {now}{held}"
            );
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Standing {
            irql,
            regions,
            locks,
        } = self;
        write!(f, "IRQL {irql} in {regions} regions with {locks} locks")
    }
}

/// Runs `call`, a driver's routine that is `named`. The routine has to leave at the IRQL and in the
/// regions that it was called in, and without a lock.
pub(crate) fn unchanged<R>(named: impl fmt::Display, call: impl FnOnce() -> R) -> R {
    let before = Standing::now();
    let result = call();
    before.assert_kept(named);
    result
}

/// As [`unchanged`], with normal kernel APCs disabled.
pub(crate) fn call_back<R>(named: &str, call: impl FnOnce() -> R) -> R {
    Current::with(|current| current.thread.ke.enter_critical_region());
    let result = unchanged(format_args!("a {named}"), call);
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
