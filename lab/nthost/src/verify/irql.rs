//! The highest IRQL that each function may be called at.

use super::{Call, Decision, Watch};
use crate::Current;
use crate::ke::bug_check;

/// Stops the machine when a driver calls a function above the IRQL that its page allows.
pub(super) struct Limits;

impl Watch for Limits {
    fn enter(&self, call: &Call<'_>) -> Decision {
        let irql = Current::with(|current| current.thread.ke.irql());
        let limit = call.export.max_irql;
        if irql > limit {
            bug_check!(
                IRQL_NOT_LESS_OR_EQUAL,
                "{} is called at IRQL {irql}, and may be at {limit} at most (page \"{}\")\n{}",
                call.export.name,
                call.export.page(),
                call.place()
            );
        }
        Decision::Call
    }
}

#[cfg(test)]
mod tests {
    use crate::exports;
    use crate::ke::{APC_LEVEL, DISPATCH_LEVEL};
    use crate::verify::{boundary, death};
    use std::mem::transmute;

    type Raise = unsafe extern "win64" fn(u8) -> u8;
    type Enter = unsafe extern "win64" fn();

    fn import(name: &str) -> usize {
        boundary::address(exports::find(name).expect("it is exported"))
    }

    /// Calls, as a driver would, a function that may be called up to APC_LEVEL.
    fn enter_critical_region_at(irql: u8) {
        // SAFETY: the function's type.
        let raise = unsafe { transmute::<usize, Raise>(import("KfRaiseIrql")) };
        // SAFETY: as above.
        let enter = unsafe { transmute::<usize, Enter>(import("KeEnterCriticalRegion")) };
        // SAFETY: any IRQL may be raised to.
        unsafe { raise(irql) };
        // SAFETY: a breach is stopped before the function is called.
        unsafe { enter() };
    }

    #[test]
    fn a_call_above_the_functions_limit_stops_the_machine() {
        let printed = death::of(|| {
            enter_critical_region_at(APC_LEVEL);
            enter_critical_region_at(DISPATCH_LEVEL);
        });
        let named = [
            "IRQL_NOT_LESS_OR_EQUAL: KeEnterCriticalRegion is called at IRQL 2, and may be at 1",
            "(page \"KeEnterCriticalRegion\")",
        ];
        for text in named {
            assert!(printed.contains(text), "{printed}");
        }
    }
}
