//! Who takes what others made.

mod configure;
mod event_files;
mod evtx;
mod fake;
mod ioctl;
mod loader;
mod machine;
mod mapped_ring;
mod message;
mod recordings;
mod records;
mod ring_word;
mod samples;

pub use configure::ConfigureInput;
pub use event_files::EventFiles;
pub use ioctl::Requests;
pub use loader::Loader;
pub use mapped_ring::MappedRing;
pub use recordings::Recordings;
pub use records::Records;
pub use ring_word::RingWord;
