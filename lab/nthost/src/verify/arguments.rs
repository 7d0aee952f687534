//! What else the pages say that a caller has to keep to.

use super::{Call, Decision, Watch};
use crate::Current;
use crate::ex::pool::POOL_FLAG_NON_PAGED_EXECUTE;
use crate::ke::bug_check;

/// Stops the machine when a driver passes what no correct driver does, though the function might
/// bear with it.
pub(super) struct Arguments;

impl Watch for Arguments {
    fn enter(&self, call: &Call<'_>) -> Decision {
        if let Some(breach) = breach(call) {
            bug_check!(
                DRIVER_VERIFIER_DETECTED_VIOLATION,
                "{} {breach} (page \"{}\")",
                call.export.name,
                call.export.page()
            );
        }
        Decision::Call
    }
}

/// What is wrong with `call`.
fn breach(call: &Call<'_>) -> Option<&'static str> {
    let [flags, size, tag, _] = call.arguments();
    match call.export.name {
        "ExAllocatePool2" if tag as u32 == 0 => Some("is given no tag"),
        "ExAllocatePool2" if size == 0 => Some("is asked for no bytes"),
        "ExAllocatePool2" if flags & POOL_FLAG_NON_PAGED_EXECUTE != 0 => {
            Some("is asked for memory that is writable and executable")
        }
        "ExAllocatePoolWithTag" => Some("is superseded by ExAllocatePool2"),
        "ExAcquirePushLockExclusiveEx"
        | "ExAcquirePushLockSharedEx"
        | "ExReleasePushLockExclusiveEx"
        | "ExReleasePushLockSharedEx"
            if Current::with(|current| current.thread.ke.regions()) == 0 =>
        {
            Some(
                "is called outside of a critical region: the thread could be suspended with the lock",
            )
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ex::pool::POOL_FLAG_PAGED;
    use crate::verify::boundary::import;
    use crate::verify::death;
    use std::mem::transmute;

    type Allocate = unsafe extern "win64" fn(u64, usize, u32) -> usize;
    type AllocateWithTag = unsafe extern "win64" fn(i32, usize, u32) -> usize;
    type Acquire = unsafe extern "win64" fn(*mut isize, u32);

    fn allocate(flags: u64, size: usize, tag: u32) {
        // SAFETY: the function's type.
        let allocate = unsafe { transmute::<usize, Allocate>(import("ExAllocatePool2")) };
        // SAFETY: whatever is asked for, it is refused or given.
        unsafe { allocate(flags, size, tag) };
    }

    #[test]
    fn pool_that_can_be_executed_is_a_breach() {
        let printed = death::of(|| allocate(POOL_FLAG_NON_PAGED_EXECUTE, 8, 1));
        assert!(printed.contains("writable and executable"), "{printed}");
    }

    #[test]
    fn pool_without_a_tag_is_a_breach() {
        let printed = death::of(|| allocate(POOL_FLAG_PAGED, 8, 0));
        let named = "ExAllocatePool2 is given no tag";
        assert!(printed.contains(named), "{printed}");
    }

    #[test]
    fn pool_of_no_bytes_is_a_breach() {
        let printed = death::of(|| allocate(POOL_FLAG_PAGED, 0, 1));
        let named = "ExAllocatePool2 is asked for no bytes";
        assert!(printed.contains(named), "{printed}");
    }

    #[test]
    fn pool_that_is_not_zeroed_unasked_is_a_breach() {
        let printed = death::of(|| {
            let function = import("ExAllocatePoolWithTag");
            // SAFETY: the function's type.
            let allocate = unsafe { transmute::<usize, AllocateWithTag>(function) };
            // SAFETY: a breach is stopped before the function is called.
            unsafe { allocate(0, 8, 1) };
        });
        assert!(printed.contains("superseded"), "{printed}");
    }

    #[test]
    fn a_push_lock_wants_a_critical_region() {
        let printed = death::of(|| {
            // SAFETY: the function's type.
            let acquire =
                unsafe { transmute::<usize, Acquire>(import("ExAcquirePushLockExclusiveEx")) };
            // SAFETY: a breach is stopped before the function is called.
            unsafe { acquire(&mut 0, 0) };
        });
        assert!(
            printed.contains("ExAcquirePushLockExclusiveEx is called outside of a critical region"),
            "{printed}"
        );
    }
}
