//! The run-time library: strings, memory, formatted output, security descriptors, the version.

pub(crate) mod debug;
mod format;
pub(crate) mod memory;
pub(crate) mod security;
pub(crate) mod string;
pub(crate) mod version;

pub use debug::Log;
pub use string::{NtString, text};
