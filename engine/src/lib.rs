//! The logic of `ntwatch.sys` that needs no Windows: what happens to an event from the callback
//! that saw it to the read that carries it away.
//!
//! ```text
//! callback ─ capture ──> capture ring ──> worker ─ enrich ──> feeds ──> one ring per session ──> reader
//! ```
//!
//! - [`capture`]: the callbacks' side; [`in_flight`]: what the one before an open tells the one
//!   after it.
//! - [`worker`]: takes records off the capture ring; [`facts`]: what it asks Windows;
//!   [`process_table`]: what it remembers.
//! - [`event`]: what comes of a record; [`feeds`]: all sessions; [`session`]: the two ends of one;
//!   [`filter`]: what it wants.
//! - [`account`]: what became of every event, by kind.
//! - [`protect`]: which rights to which processes nobody is to get.
//!
//! Nothing here locks, waits or panics. Memory is allocated when a session is configured and when
//! a process is remembered, never in a callback, and may be refused. Whoever shares a value
//! between threads brings the lock.
#![cfg_attr(not(loom), no_std)]
#![deny(unsafe_code)]
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

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod account;
pub mod capture;
pub mod event;
pub mod facts;
pub mod feeds;
pub mod filter;
pub mod in_flight;
pub mod memory;
pub mod process_table;
pub mod protect;
pub mod session;
pub mod worker;

mod enrich;
mod form;
mod gap;
mod sync;
#[cfg(test)]
mod testing;

pub use memory::OutOfMemory;
