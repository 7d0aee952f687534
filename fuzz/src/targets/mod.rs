//! Who takes what others made.

mod configure;
mod fake;
mod loader;
mod mapped_ring;
mod recordings;
mod records;
mod samples;

pub use configure::ConfigureInput;
pub use loader::Loader;
pub use mapped_ring::MappedRing;
pub use recordings::Recordings;
pub use records::Records;
