//! The kernel's core: IRQL, critical regions, time.

pub(crate) mod clock;
pub(crate) mod irql;

pub use clock::Clock;
pub use irql::{APC_LEVEL, DISPATCH_LEVEL, HIGH_LEVEL, PASSIVE_LEVEL, ThreadState};
