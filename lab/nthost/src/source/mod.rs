//! Where a machine's activity comes from.

pub mod replay;
pub mod volume;
