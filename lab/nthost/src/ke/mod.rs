//! The kernel's core: IRQL, critical regions, spin locks, events and waits, time, bug checks.

pub(crate) mod bug_check;
pub(crate) mod callback;
pub(crate) mod clock;
pub(crate) mod event;
mod event_object;
mod futex;
pub(crate) mod irql;
pub(crate) mod spin_lock;
mod wdf_violation;

pub(crate) use bug_check::bug_check;
pub use clock::Clock;
pub use event_object::EventKind;
pub(crate) use event_object::EventObject;
pub use irql::{APC_LEVEL, DISPATCH_LEVEL, HIGH_LEVEL, PASSIVE_LEVEL, ThreadState};
pub use spin_lock::SpinLock;
