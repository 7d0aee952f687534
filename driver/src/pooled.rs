//! A session's ring that reads are answered from.

use crate::nt::pool::InPool;
use crate::session_memory::SessionMemory;
use ntwatch_engine::session::{Queue, Reader};
use ntwatch_protocol::configure::DEFAULT_RING_SIZE;
use wdk_sys::{NTSTATUS, STATUS_INVALID_DEVICE_STATE};

/// The reads' end of it. Dropped in this order: the reader uses the memory. All functions:
/// IRQL = PASSIVE_LEVEL.
pub(crate) struct Pooled {
    pub(crate) reader: Reader<'static>,
    memory: InPool<SessionMemory>,
}

impl Pooled {
    /// The reads' end of a ring of `size` bytes (0: the default), and the worker's.
    pub(crate) fn new(size: u32) -> Result<(Self, Queue<'static>), NTSTATUS> {
        let size = match size {
            0 => DEFAULT_RING_SIZE as usize,
            size => size as usize,
        };
        let memory = SessionMemory::with_ring(size)?;
        // SAFETY: `Pooled` drops its reader before the memory, and `Session::close` closes the
        // feed, which has the queue, before both.
        let lent = unsafe { memory.get() };
        let (Some(queue), Some(consumer)) = (lent.queue(), lent.ring.consumer()) else {
            return Err(STATUS_INVALID_DEVICE_STATE);
        };
        let reader = Reader::new(consumer);
        Ok((Self { reader, memory }, queue))
    }

    pub(crate) fn ring_size(&self) -> usize {
        // SAFETY: used here alone.
        unsafe { self.memory.get() }.ring.capacity()
    }
}
