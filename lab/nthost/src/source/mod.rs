//! Where a machine's activity comes from: Linux's own processes, a recording, or a storm.

pub mod live;
pub mod replay;
mod sessions;
pub mod storm;
pub mod volume;
mod window;

pub use sessions::Sessions;

use crate::{Config, Kernel};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use window::Window;

/// Something that makes processes start and exit.
pub trait Source: Send {
    /// The machine that it is the activity of.
    fn host(&self) -> Host;

    /// What the machine boots with.
    fn config(&self) -> Config {
        Config {
            boot_time: Some(self.host().boot_time),
            ..Config::default()
        }
    }

    /// Makes the processes that exist before anything happens.
    fn populate(&mut self, kernel: &Arc<Kernel>);

    /// Acts until there is no more, or until asked to stop.
    fn run(&mut self, stage: &Stage<'_>);

    /// What there is to know afterwards, a fact a line: what was made up, what was missed.
    fn summary(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Where a source acts.
#[derive(Clone, Copy)]
pub struct Stage<'a> {
    /// The machine.
    pub kernel: &'a Arc<Kernel>,
    /// Who watches.
    pub sessions: &'a Sessions,
    /// Nobody is expected to watch after those who do.
    pub once: bool,
    /// Set when the source has to end.
    pub stop: &'a AtomicBool,
}

impl Stage<'_> {
    /// Has the source to end?
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// A machine, as its users name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// 100 ns units since 1601, UTC.
    pub boot_time: i64,
}

/// 1970 in 100 ns units since 1601.
pub(crate) const UNIX_EPOCH: i64 = 116_444_736_000_000_000;

/// 100 ns units in a second.
pub(crate) const SECOND: i64 = 10_000_000;

/// No activity but what a caller of the library makes.
#[derive(Debug, Default)]
pub struct Quiet;

impl Source for Quiet {
    fn host(&self) -> Host {
        live::this_host()
    }

    fn populate(&mut self, _: &Arc<Kernel>) {}

    fn run(&mut self, _: &Stage<'_>) {}
}
