//! The way to the driver on Windows: a handle of its device, and the system's own calls.

mod device;
mod event;
mod file;
mod machine;
mod privilege;
mod process;
mod ring;
mod wine;

pub use device::Device;
pub(crate) use file::changed;
