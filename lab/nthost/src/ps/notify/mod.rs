//! Who is told of processes, threads and images.

mod guarded;
pub(crate) mod image;
pub(crate) mod process;
mod routines;
mod text;
pub(crate) mod thread;

pub use image::ImageNotify;
pub use process::{HostRoutine, Place, ProcessNotify};
pub use thread::ThreadNotify;

use std::sync::atomic::{AtomicU64, Ordering};

/// How often drivers' routines were called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallCount {
    /// Of one that starts.
    pub starts: u64,
    /// Of one that exits.
    pub exits: u64,
}

/// Counts the calls of drivers' routines.
#[derive(Debug, Default)]
struct Counter(AtomicU64);

impl Counter {
    fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
