//! The IRQL that each function may be called at.

use std::ops::RangeInclusive;

use super::{Call, Decision, Watch};
use crate::Current;
use crate::ex::pool::POOL_FLAG_PAGED;
use crate::ke::{APC_LEVEL, DISPATCH_LEVEL, PASSIVE_LEVEL, bug_check};

/// Stops the machine when a driver calls a function at an IRQL that its page does not allow.
pub(super) struct Limits;

impl Watch for Limits {
    fn enter(&self, call: &Call<'_>) -> Decision {
        let irql = Current::with(|current| current.thread.ke.irql());
        let allowed = allowed(call);
        if !allowed.contains(&irql) {
            bug_check!(
                IRQL_NOT_LESS_OR_EQUAL,
                "{} is called at IRQL {irql}, and this call may be at {} to {} (page \"{}\")",
                call.export.name,
                allowed.start(),
                allowed.end(),
                call.export.page()
            );
        }
        Decision::Call
    }
}

/// The IRQLs that `call` may be made at, its arguments considered.
fn allowed(call: &Call<'_>) -> RangeInclusive<u8> {
    let arguments = call.arguments();
    let highest = match call.export.name {
        "ExAllocatePool2" if arguments[0] & POOL_FLAG_PAGED != 0 => APC_LEVEL,
        // `Wait`: the routine keeps the dispatcher off until the wait that has to follow.
        "KeSetEvent" if arguments[2] as u8 != 0 => APC_LEVEL,
        _ => call.export.max_irql,
    };
    let lowest = match call.export.name {
        "ExReleaseFastMutex" => APC_LEVEL,
        "IoReleaseCancelSpinLock"
        | "KeAcquireSpinLockAtDpcLevel"
        | "KeReleaseSpinLock"
        | "KeReleaseSpinLockFromDpcLevel"
        | "WdfSpinLockRelease" => DISPATCH_LEVEL,
        _ => PASSIVE_LEVEL,
    };
    lowest..=highest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::boundary::import;
    use crate::verify::death;
    use std::mem::transmute;

    type Raise = unsafe extern "win64" fn(u8) -> u8;
    type Enter = unsafe extern "win64" fn();
    type Allocate = unsafe extern "win64" fn(u64, usize, u32) -> usize;
    type Release = unsafe extern "win64" fn(*mut usize, u8);

    fn raise_to(irql: u8) {
        // SAFETY: the function's type.
        let raise = unsafe { transmute::<usize, Raise>(import("KfRaiseIrql")) };
        // SAFETY: any IRQL may be raised to.
        unsafe { raise(irql) };
    }

    #[test]
    fn a_call_above_the_functions_limit_stops_the_machine() {
        let printed = death::of(|| {
            // SAFETY: the function's type.
            let enter = unsafe { transmute::<usize, Enter>(import("KeEnterCriticalRegion")) };
            for irql in [APC_LEVEL, DISPATCH_LEVEL] {
                raise_to(irql);
                // SAFETY: a breach is stopped before the function is called.
                unsafe { enter() };
            }
        });
        let breach = "IRQL_NOT_LESS_OR_EQUAL: KeEnterCriticalRegion is called at IRQL 2";
        let rule = "this call may be at 0 to 1 (page \"KeEnterCriticalRegion\")";
        for text in [breach, rule] {
            assert!(printed.contains(text), "{printed}");
        }
    }

    #[test]
    fn paged_pool_cannot_be_had_where_pages_cannot_be_brought_in() {
        let printed = death::of(|| {
            // SAFETY: the function's type.
            let allocate = unsafe { transmute::<usize, Allocate>(import("ExAllocatePool2")) };
            for irql in [APC_LEVEL, DISPATCH_LEVEL] {
                raise_to(irql);
                // SAFETY: whatever is asked for, it is refused or given.
                assert_ne!(unsafe { allocate(POOL_FLAG_PAGED, 8, 1) }, 0);
            }
        });
        assert!(
            printed.contains("ExAllocatePool2 is called at IRQL 2"),
            "{printed}"
        );
    }

    #[test]
    fn a_spin_lock_is_released_at_dispatch_level() {
        let printed = death::of(|| {
            // SAFETY: the function's type.
            let release = unsafe { transmute::<usize, Release>(import("KeReleaseSpinLock")) };
            // SAFETY: a breach is stopped before the function is called.
            unsafe { release(&mut 0, PASSIVE_LEVEL) };
        });
        assert!(
            printed.contains("KeReleaseSpinLock is called at IRQL 0"),
            "{printed}"
        );
    }
}
