//! The two rings that an event passes on its way to a client.
//!
//! - [`capture`]: many producers (the callbacks), one consumer (the worker). A producer reserves
//!   room, fills it in place and commits; it never waits, allocates or panics.
//! - [`session`]: one producer (the worker), one consumer: the reads of one client, or the client
//!   itself, in memory that both map.
//!
//! Both work in memory that is handed in, count positions in bytes as 64-bit numbers that only
//! grow, and hold every record in one piece. Both are usable at any IRQL up to `DISPATCH_LEVEL`,
//! provided their memory is non-paged.
//!
//! A record that does not fit is refused with [`Full`]; counting the loss is the caller's part.
//! The last bytes of a ring can be kept for [`Priority::High`] records.
//!
//! Beyond plain tests, `cargo xtask test` has loom explore the orders of the accesses. miri can look
//! for undefined behaviour on the real bytes where its toolchain is to be had; no task runs it:
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test -p ntwatch-ring --release --test loom
//! cargo +nightly miri test -p ntwatch-ring --test capture --test session --test distrust --test stress
//! ```
#![cfg_attr(not(loom), no_std)]

pub mod capture;
pub mod session;

mod line;
#[cfg(not(loom))]
mod memory;
#[cfg(loom)]
#[path = "memory_loom.rs"]
mod memory;
mod size;
mod sync;

pub use capture::CaptureRing;
pub use session::SessionRing;

/// Who may use the reserved share of a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// Leaves the reserved share alone.
    Normal,
    /// May fill the ring to the last byte: process start and exit, without which the other
    /// records cannot be read.
    High,
}

/// The record does not fit now, or is longer than the ring's `longest_record`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the ring has no room for the record")]
pub struct Full;

/// Why memory cannot become a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// Positions are masked, and lengths have 30 bits.
    #[error("a ring of {0} bytes: its size must be a power of two from 64 bytes to 1 GiB")]
    Capacity(usize),
    /// More reserved than there is.
    #[error("{reserved} bytes reserved of a ring of {capacity} bytes: at most half can be")]
    Reserved {
        /// Bytes asked for.
        reserved: usize,
        /// Bytes of the ring.
        capacity: usize,
    },
}
