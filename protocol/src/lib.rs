//! What `ntwatch.sys` and its clients say to each other, and the only thing they share.
//!
//! - [`ioctl`]: control codes, the device's names, and the structures that travel with them.
//! - [`configure`]: what a session wants to see; [`access`]: the rights that handles can have;
//!   [`pattern`]: which images a pattern names.
//! - [`protect`]: which rights to a process nobody is to get.
//! - [`record`]: the frame that every event record has; [`process`], [`thread`], [`image`],
//!   [`handle`] and [`lost`]: their bodies.
//! - [`reader`]: from bytes that may be anything to typed records, or an error.
//! - [`writer`]: from facts to a record.
//!
//! Everything is little endian, 8-byte aligned, size first. Nothing here allocates, panics, or
//! reads outside the bytes it was given: the driver parses hostile input with it, and so does a
//! client that reads a recording.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::arithmetic_side_effects
    )
)]

#[cfg(test)]
extern crate std;

pub mod access;
pub mod configure;
pub mod handle;
pub mod image;
pub mod ioctl;
pub mod lost;
pub mod mapped;
pub mod pattern;
pub mod process;
pub mod protect;
pub mod reader;
pub mod record;
pub mod thread;
pub mod wide;
pub mod writer;

/// Records are passed as they lie in memory.
const _: () = assert!(cfg!(target_endian = "little"));

/// The protocol that this crate speaks. Another major version is another language; a higher
/// minor version only adds what an older reader can skip.
pub const PROTOCOL_MAJOR: u16 = 1;
/// See [`PROTOCOL_MAJOR`].
pub const PROTOCOL_MINOR: u16 = 2;
