//! Threads.

use super::{Hex, ProcessRef, Subsystem, ThreadRef};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A thread was created (page "PCREATE_THREAD_NOTIFY_ROUTINE").
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ThreadStart {
    /// Whose it is.
    pub process: ProcessRef,
    /// The thread itself.
    pub thread: Thread,
    /// The thread that created it.
    pub creator: ThreadRef,
    /// Did another process start it? Not of the first thread of a process; `None` if it may be
    /// that.
    pub remote: Option<bool>,
}

/// A thread ended. Windows says no more than its id and status: the rest is from its start, if
/// this stream has seen that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ThreadExit {
    /// Whose it was.
    pub process: ProcessRef,
    /// The thread itself.
    pub thread: Thread,
    /// As [`ThreadStart::creator`].
    pub creator: Option<ThreadRef>,
    /// As [`ThreadStart::remote`].
    pub remote: Option<bool>,
    /// The exit code or NTSTATUS that it ended with.
    pub exit_status: u32,
}

/// Facts of a thread.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thread {
    /// Thread id, used again once the thread is gone.
    pub tid: u32,
    /// Where it begins to run. A hint: its process can set it.
    pub start_address: Option<Hex>,
    /// The image that the address lies in, among those that this stream saw being loaded.
    pub start_module: Option<Arc<str>>,
    /// How far into that image, in bytes. In JSON it follows from the image's `base`.
    #[serde(skip)]
    pub start_offset: Option<u64>,
    /// Win32 or WSL.
    pub subsystem: Option<Subsystem>,
}

impl Thread {
    /// A thread of which nothing else is known.
    pub(crate) const fn of(tid: u32) -> Self {
        Self {
            tid,
            start_address: None,
            start_module: None,
            start_offset: None,
            subsystem: None,
        }
    }
}
