//! Hostile inputs: to the driver from user mode, to the client from the driver, to the lab from
//! files.
//!
//! A [`target`] takes an input and panics if the product did wrong. A [`campaign`] feeds it with
//! what is kept in `corpus/`, with sound inputs that are made on the spot, and with descendants of
//! both. `cargo xtask test` does so for a few seconds with the same seed every time;
//!
//! ```text
//! NTWATCH_FUZZ_SECONDS=600 NTWATCH_SEED=7 cargo test -p ntwatch-fuzz -- loader
//! ```
//!
//! for longer, and with other inputs. `NTWATCH_LAB` names the built files, as `cargo xtask test`
//! does. Built to count edges, a campaign also goes on from what reached new ones:
//!
//! ```text
//! RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=3 \
//!     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters" \
//!     cargo test --release --target x86_64-unknown-linux-gnu --target-dir target/fuzz \
//!     -p ntwatch-fuzz
//! ```
//!
//! `ntwatch.sys` is the shipped file and counts nothing; what it asks of nthost is counted.
#![deny(unsafe_code)]

mod bytes;
pub mod campaign;
mod coverage;
pub mod input;
pub mod memory;
mod running;
pub mod target;
pub mod targets;

pub use bytes::Bytes;
pub use campaign::Campaign;
