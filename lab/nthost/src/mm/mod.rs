//! Memory: MDLs, and the addresses of the kernel's own functions.

pub(crate) mod mdl;
pub(crate) mod routine;

pub use mdl::UserMdl;
