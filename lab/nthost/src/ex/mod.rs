//! The executive's services: pool, locks, rundown protection, system worker threads.

pub(crate) mod locks;
pub(crate) mod misc;
pub(crate) mod pool;
pub(crate) mod rundown;
mod special_pool;
mod worker;

pub use pool::{Pool, PoolBlock};
pub(crate) use rundown::Rundown;
pub use worker::WorkerPool;
