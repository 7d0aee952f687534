//! The paged pool that a session takes, in one piece.

use crate::nt::pool::{InPool, Pool};
use core::cell::Cell;
use ntwatch_engine::session::{Queue, ledger_size, reserve};
use ntwatch_ring::SessionRing;
use wdk_sys::NTSTATUS;

/// The ring of a session, and memory for the worker's ledger of it. Whatever is lent is lent for
/// longer than the borrow checker can follow: it must be gone before the [`InPool`] is.
pub(crate) struct SessionMemory {
    pub(crate) ring: SessionRing<'static>,
    /// Until the worker's end is made.
    ledger: Cell<Option<&'static mut [u64]>>,
}

impl SessionMemory {
    /// With a ring of `size` bytes. IRQL ≤ APC_LEVEL.
    pub(crate) fn with_ring(size: usize) -> Result<InPool<Self>, NTSTATUS> {
        InPool::new(
            Pool::Paged,
            size.saturating_add(ledger_size(size)),
            |words| {
                let (records, ledger) = words.split_at_mut_checked(size / size_of::<u64>())?;
                let ring = SessionRing::new(records, reserve(size)).ok()?;
                Some(Self::new(ring, ledger))
            },
        )
    }

    /// For a ring of `size` bytes that lies elsewhere. IRQL ≤ APC_LEVEL.
    pub(crate) fn beside(
        size: usize,
        ring: impl FnOnce() -> Option<SessionRing<'static>>,
    ) -> Result<InPool<Self>, NTSTATUS> {
        InPool::new(Pool::Paged, ledger_size(size), |ledger| {
            Some(Self::new(ring()?, ledger))
        })
    }

    const fn new(ring: SessionRing<'static>, ledger: &'static mut [u64]) -> Self {
        Self {
            ring,
            ledger: Cell::new(Some(ledger)),
        }
    }

    /// The worker's end, for the first who asks.
    pub(crate) fn queue(&'static self) -> Option<Queue<'static>> {
        Some(Queue::new(self.ring.producer()?, self.ledger.take()?))
    }
}
