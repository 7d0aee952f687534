//! A session's ring, read in place: what travels with MAP_RING, and what lies in the sections.
//!
//! Two pagefile-backed sections. The first is the driver's to write: a page with how far it has
//! come, then the records ([`DATA_OFFSET`]). The client may only read it. The second is one page,
//! the client's to write: how far it has come. Both pages, the format of the ring and who may sleep
//! when are `ntwatch_ring::session`'s; a record is the same as one that a read brings.

use crate::configure::{MAX_RING_SIZE, MIN_RING_SIZE};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Where the records begin in the section that the driver writes, in bytes. Before them, on a page
/// of its own, is `ntwatch_ring::session::ProducerPage`.
pub const DATA_OFFSET: usize = 4096;

/// Bytes of the section that the client writes: one page, `ntwatch_ring::session::ConsumerPage`.
pub const CONSUMER_SIZE: usize = 4096;

/// The input of [`crate::ioctl::MAP_RING`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct MapRing {
    /// Bytes of this structure.
    pub size: u32,
    /// Bytes of the session's ring: a power of two from [`MIN_RING_SIZE`] to [`MAX_RING_SIZE`], or
    /// 0 for the default. CONFIGURE names the same, or 0.
    pub ring_size: u32,
    /// A consumer that sleeps until there is much to read is woken at so many bytes: at most half
    /// of the ring. 0 stands for a quarter of it.
    pub wake_bytes: u32,
    /// Zero.
    pub reserved: u32,
    /// A handle of the client's to an event, with `EVENT_MODIFY_STATE`, that wakes it. Best one
    /// that resets itself.
    pub wake_event: u64,
}

impl MapRing {
    /// Is every field one that a driver accepts, but for the event, which only Windows can judge?
    #[must_use]
    pub const fn is_valid(&self) -> bool {
        let ring_size = self.ring_size();
        self.size as usize == size_of::<Self>()
            && self.reserved == 0
            && ring_size.is_power_of_two()
            && MIN_RING_SIZE <= ring_size
            && ring_size <= MAX_RING_SIZE
            && self.wake_bytes <= ring_size / 2
    }

    /// Bytes of the ring, the default in place of 0.
    #[must_use]
    pub const fn ring_size(&self) -> u32 {
        match self.ring_size {
            0 => crate::configure::DEFAULT_RING_SIZE,
            size => size,
        }
    }

    /// Bytes that wake a consumer that waits for many, the default in place of 0.
    #[must_use]
    pub const fn wake_bytes(&self) -> u32 {
        match self.wake_bytes {
            0 => self.ring_size() / 4,
            bytes => bytes,
        }
    }
}

/// What a driver answers to [`crate::ioctl::MAP_RING`]: handles in the client's own table, to be
/// closed once their views are mapped, or whenever the client likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct MappedRing {
    /// Bytes of this structure.
    pub size: u32,
    /// Bytes of the ring. Its section has [`DATA_OFFSET`] more.
    pub ring_size: u32,
    /// Section: [`DATA_OFFSET`] and the records. `SECTION_MAP_READ | SECTION_QUERY`.
    pub ring: u64,
    /// Section: [`CONSUMER_SIZE`]. `SECTION_MAP_READ | SECTION_MAP_WRITE | SECTION_QUERY`.
    pub consumer: u64,
}

const _: () = {
    assert!(size_of::<MapRing>() == 24);
    assert!(core::mem::offset_of!(MapRing, wake_event) == 16);
    assert!(size_of::<MappedRing>() == 24);
    assert!(core::mem::offset_of!(MappedRing, ring) == 8);
};
