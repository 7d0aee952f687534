//! A session's ring that reads are answered from.

use crate::nt::pool::{InPool, Pool};
use ntwatch_engine::OutOfMemory;
use ntwatch_engine::session::{Queue, Reader, reserve};
use ntwatch_protocol::configure::DEFAULT_RING_SIZE;
use ntwatch_ring::SessionRing;
use wdk_sys::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_DEVICE_STATE};

/// The reads' end of it. Dropped in this order: the reader uses the ring. All functions:
/// IRQL = PASSIVE_LEVEL.
pub(crate) struct Pooled {
    pub(crate) reader: Reader<'static>,
    ring: InPool<SessionRing<'static>>,
}

impl Pooled {
    /// The reads' end of a ring of `size` bytes (0: the default), and the worker's.
    pub(crate) fn new(size: u32) -> Result<(Self, Queue<'static>), NTSTATUS> {
        let size = match size {
            0 => DEFAULT_RING_SIZE as usize,
            size => size as usize,
        };
        let ring = InPool::new(Pool::Paged, size, |words| {
            SessionRing::new(words, reserve(size)).ok()
        })?;
        // SAFETY: `Pooled` drops its reader before the ring, and `Session::close` closes the feed,
        // which has the queue, before both.
        let lent = unsafe { ring.get() };
        let (Some(producer), Some(consumer)) = (lent.producer(), lent.consumer()) else {
            return Err(STATUS_INVALID_DEVICE_STATE);
        };
        let queue = Queue::new(producer, size);
        let queue = queue.map_err(|OutOfMemory| STATUS_INSUFFICIENT_RESOURCES)?;
        let reader = Reader::new(consumer);
        Ok((Self { reader, ring }, queue))
    }

    pub(crate) fn ring_size(&self) -> usize {
        // SAFETY: used here alone.
        unsafe { self.ring.get() }.capacity()
    }
}
