//! What a driver left behind.

use std::fmt;

use crate::Kernel;
use crate::ex::PoolBlock;
use crate::ob::Held;

/// One thing, or several alike, that a driver made and did not give back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leak {
    /// Blocks of pool.
    Pool {
        /// Their tag and size.
        block: PoolBlock,
        /// How many there are.
        count: usize,
    },
    /// References to an object, too many or, below zero, too few.
    Reference(Held),
    /// A view of a section in the system's address space.
    View(String),
    /// A device.
    Device(String),
    /// A symbolic link.
    SymbolicLink(String),
    /// A work item.
    WorkItem(String),
    /// A request that was not completed.
    Irp(String),
    /// A registered callback.
    Callback(String),
    /// An open kernel handle.
    Handle(String),
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Leak::Pool { block, count } => write!(f, "{count} × {block}"),
            Leak::Reference(held) => {
                write!(
                    f,
                    "{} references to {:?} {}",
                    held.references, held.kind, held.name
                )
            }
            Leak::View(name) => write!(f, "view {name}"),
            Leak::Device(name) => write!(f, "device {name}"),
            Leak::SymbolicLink(name) => write!(f, "symbolic link {name}"),
            Leak::WorkItem(name) => write!(f, "work item {name}"),
            Leak::Irp(name) => write!(f, "request {name}, never completed"),
            Leak::Callback(name) => write!(f, "callback {name}"),
            Leak::Handle(name) => write!(f, "handle {name}"),
        }
    }
}

/// All that drivers left behind; empty after a clean unload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeakReport(pub Vec<Leak>);

impl LeakReport {
    /// What the machine has of drivers now. It tells what was left behind when no driver is
    /// loaded; it does not tell drivers apart.
    pub(crate) fn of(kernel: &Kernel) -> LeakReport {
        let mut leaks = kernel.io.leaks();
        leaks.extend(kernel.ps.leaks());
        leaks.extend(kernel.mm.leaks());
        leaks.extend(kernel.ob.leaks());
        kernel.pool.assert_undamaged();
        let pool = kernel.pool.live().into_iter();
        leaks.extend(pool.map(|(block, count)| Leak::Pool { block, count }));
        leaks.extend(
            kernel
                .objects
                .held_by_drivers()
                .into_iter()
                .map(Leak::Reference),
        );
        LeakReport(leaks)
    }

    /// Whether nothing was left behind.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for LeakReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing was left behind");
        }
        f.write_str("left behind:")?;
        self.0.iter().try_for_each(|leak| write!(f, "\n  {leak}"))
    }
}
