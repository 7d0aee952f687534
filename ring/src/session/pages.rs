//! What the two sides tell each other. Each writes a page of its own, so that memory protection
//! can keep the other from it.

use crate::sync::AtomicU64;

/// What the producer writes: how far it has come, and [`state`].
#[derive(Debug)]
#[repr(C)]
pub struct ProducerPage {
    /// Bytes that were ever written, padding among them.
    pub(super) position: AtomicU64,
    /// Bits of [`state`].
    pub(super) state: AtomicU64,
}

/// What the consumer writes: one word.
#[derive(Debug)]
#[repr(C)]
pub struct ConsumerPage {
    /// Bytes that were ever released, and marks in the bits below [`POSITION`].
    pub(super) word: AtomicU64,
}

impl ProducerPage {
    /// At the beginning: all zero.
    pub fn new() -> Self {
        Self {
            position: AtomicU64::new(0),
            state: AtomicU64::new(0),
        }
    }
}

impl ConsumerPage {
    /// At the beginning: all zero.
    pub fn new() -> Self {
        Self {
            word: AtomicU64::new(0),
        }
    }
}

impl Default for ProducerPage {
    fn default() -> Self {
        Self::new()
    }
}

impl Default for ConsumerPage {
    fn default() -> Self {
        Self::new()
    }
}

/// What the producer says beside its position.
pub mod state {
    /// The session ends. What was written before is there; what may come behind it nobody waits
    /// for.
    pub const ENDED: u64 = 1;
    /// Records are missing behind the last one, which could not be announced for want of room.
    pub const GAP: u64 = 2;
}

/// Of the consumer's word, its position: positions are multiples of 8.
pub(super) const POSITION: u64 = !7;
/// Mark: the consumer sleeps, until there is anything to read.
pub(super) const ASLEEP: u64 = 1;
/// Mark: the consumer sleeps, until there is as much to read as was agreed.
pub(super) const ASLEEP_UNTIL_MUCH: u64 = 2;

const _: () = {
    assert!(cfg!(loom) || size_of::<ProducerPage>() == 16);
    assert!(cfg!(loom) || core::mem::offset_of!(ProducerPage, state) == 8);
    assert!(cfg!(loom) || size_of::<ConsumerPage>() == 8);
};
