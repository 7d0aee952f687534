//! The lab's Driver Verifier: what a driver calls, seen before it happens.
//!
//! On a machine that boots with [`Config::verify`](crate::Config::verify) every function that a
//! driver imports from the kernel, or finds in the framework's table, leads to a stub of the
//! `boundary`, which hands the [`Call`] to the machine's [`Verifier`]. Each [`Watch`] there sees it
//! in turn: the rules of this module stop the machine at a breach, others may answer in the
//! function's place. Without `verify` imports lead straight to the functions.

mod arguments;
pub(crate) mod boundary;
mod call;
#[cfg(test)]
pub(crate) mod death;
mod delays;
mod failures;
mod fault;
mod faults;
pub(crate) mod framework;
mod irql;
pub(crate) mod locks;
mod objects;
mod origin;
pub(crate) mod pageable;
mod stack;

use std::sync::{Arc, RwLock};

pub use call::Call;
pub(crate) use call::Whereabouts;
pub use delays::Delays;
pub use faults::{Fault, Faults, Site};
pub use origin::Origin;
pub use stack::Stack;

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It goes on to the function.
    Call,
    /// The function is not called; the driver is given this value in `rax`.
    Return(u64),
}

/// Something that sees every call of a driver before it happens, in the driver's thread and at its
/// IRQL.
pub trait Watch: Send + Sync {
    /// Decides about `call`. What an earlier watch answered is not shown.
    fn enter(&self, call: &Call<'_>) -> Decision;
}

/// All that watches the drivers of one machine: the rules first, then what was added, in order.
pub struct Verifier {
    watches: RwLock<Vec<Arc<dyn Watch>>>,
    frameworks: framework::Frameworks,
}

impl Verifier {
    pub(crate) fn new() -> Verifier {
        fault::watch();
        Verifier {
            watches: RwLock::new(vec![
                Arc::new(irql::Limits),
                Arc::new(arguments::Arguments),
                Arc::new(objects::Objects),
                Arc::new(locks::Locks::default()),
            ]),
            frameworks: framework::Frameworks::default(),
        }
    }

    /// Shows every further call to `watch` as well. Not from inside of a watch.
    pub fn add(&self, watch: Arc<dyn Watch>) {
        self.watches.write().unwrap().push(watch);
    }

    fn enter(&self, call: &Call<'_>) -> Decision {
        let watches = self.watches.read().unwrap();
        let mut decisions = watches.iter().map(|watch| watch.enter(call));
        decisions
            .find(|decision| *decision != Decision::Call)
            .unwrap_or(Decision::Call)
    }
}
