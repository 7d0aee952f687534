//! IRQL and critical regions of a thread.

use std::sync::atomic::{AtomicI32, AtomicU8, Ordering};

use crate::exports::exports;
use crate::verify::locks::Held;
use crate::verify::pageable;
use crate::{Current, Kernel};

/// Normal execution.
pub const PASSIVE_LEVEL: u8 = 0;
/// Normal and special kernel APCs are held off.
pub const APC_LEVEL: u8 = 1;
/// The dispatcher is held off: no waits, no page faults.
pub const DISPATCH_LEVEL: u8 = 2;
/// Everything is held off.
pub const HIGH_LEVEL: u8 = 15;

exports! {
    HIGH_LEVEL: KeGetCurrentIrql, KfRaiseIrql, KeLowerIrql;
    DISPATCH_LEVEL: KeAreApcsDisabled, KeAreAllApcsDisabled;
    APC_LEVEL: KeEnterCriticalRegion, KeLeaveCriticalRegion, KeEnterGuardedRegion, KeLeaveGuardedRegion;
}

/// What the kernel's core keeps for each thread. Only the thread itself changes it.
#[derive(Debug, Default)]
pub struct ThreadState {
    irql: AtomicU8,
    critical: AtomicI32,
    guarded: AtomicI32,
    pub(crate) held: Held,
}

impl ThreadState {
    /// The thread's IRQL.
    pub fn irql(&self) -> u8 {
        self.irql.load(Ordering::Relaxed)
    }

    /// Sets the IRQL of the current thread, whose state this is, and returns the one before.
    pub fn set_irql(&self, irql: u8) -> u8 {
        pageable::follow(irql);
        self.irql.swap(irql, Ordering::Relaxed)
    }

    /// As `KeEnterCriticalRegion`, of this thread.
    pub(crate) fn enter_critical_region(&self) {
        self.critical.fetch_add(1, Ordering::Relaxed);
    }

    /// As `KeLeaveCriticalRegion`, of this thread.
    pub(crate) fn leave_critical_region(&self) {
        let before = self.critical.fetch_sub(1, Ordering::Relaxed);
        assert!(
            before > 0,
            "KeLeaveCriticalRegion outside of a critical region"
        );
    }

    /// How many critical and guarded regions the thread is in.
    pub fn regions(&self) -> i32 {
        self.critical.load(Ordering::Relaxed) + self.guarded.load(Ordering::Relaxed)
    }
}

impl Kernel {
    /// Runs `body` with the current thread at APC_LEVEL, where some callers of drivers are.
    pub fn at_apc_level<R>(&self, body: impl FnOnce() -> R) -> R {
        let set = |irql| Current::with(|current| current.thread.ke.set_irql(irql));
        let before = set(APC_LEVEL);
        let result = body();
        set(before);
        result
    }
}

/// Any IRQL.
extern "win64" fn KeGetCurrentIrql() -> u8 {
    Current::with(|current| current.thread.ke.irql())
}

/// `KeRaiseIrql` under its exported name, any IRQL.
extern "win64" fn KfRaiseIrql(new: u8) -> u8 {
    Current::with(|current| {
        let old = current.thread.ke.set_irql(new);
        assert!(
            old <= new,
            "KeRaiseIrql lowers the IRQL from {old} to {new}"
        );
        old
    })
}

/// Any IRQL.
extern "win64" fn KeLowerIrql(new: u8) {
    Current::with(|current| {
        let old = current.thread.ke.set_irql(new);
        assert!(
            old >= new,
            "KeLowerIrql raises the IRQL from {old} to {new}"
        );
    });
}

/// IRQL ≤ DISPATCH_LEVEL.
extern "win64" fn KeAreApcsDisabled() -> u8 {
    Current::with(|current| {
        u8::from(current.thread.ke.regions() > 0 || current.thread.ke.irql() >= APC_LEVEL)
    })
}

/// IRQL ≤ DISPATCH_LEVEL.
extern "win64" fn KeAreAllApcsDisabled() -> u8 {
    Current::with(|current| {
        let state = &current.thread.ke;
        u8::from(state.guarded.load(Ordering::Relaxed) > 0 || state.irql() >= APC_LEVEL)
    })
}

/// IRQL ≤ APC_LEVEL.
extern "win64" fn KeEnterCriticalRegion() {
    Current::with(|current| current.thread.ke.enter_critical_region());
}

/// IRQL ≤ APC_LEVEL.
extern "win64" fn KeLeaveCriticalRegion() {
    Current::with(|current| current.thread.ke.leave_critical_region());
}

/// IRQL ≤ APC_LEVEL.
extern "win64" fn KeEnterGuardedRegion() {
    Current::with(|current| current.thread.ke.guarded.fetch_add(1, Ordering::Relaxed));
}

/// IRQL ≤ APC_LEVEL.
extern "win64" fn KeLeaveGuardedRegion() {
    Current::with(|current| {
        let before = current.thread.ke.guarded.fetch_sub(1, Ordering::Relaxed);
        assert!(
            before > 0,
            "KeLeaveGuardedRegion outside of a guarded region"
        );
    });
}
