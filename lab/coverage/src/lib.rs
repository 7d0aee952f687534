//! What of the product has run, and by name what has not.
//!
//! - [`blocks`]: the basic blocks of the shipped driver; nthost notes which of them run.
//! - [`places`]: where in the sources a block is, from the linker's PDB.
//! - [`lcov`]: the lines of the crates that LLVM's instrumentation has counted.
//! - [`report`]: both, summed up and named.

pub mod blocks;
pub mod lcov;
pub mod places;
pub mod report;
