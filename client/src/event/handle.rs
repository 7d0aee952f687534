//! Handles to processes and threads.

use super::{Hex, ProcessRef, ThreadRef};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A handle to a process or a thread was made, or was refused once drivers had been asked (pages
/// "OB_PRE_OPERATION_INFORMATION" and "OB_POST_OPERATION_INFORMATION").
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HandleOpen {
    /// A handle of its own, or a copy of one.
    pub operation: Operation,
    /// Is it the kernel's, out of reach of processes?
    pub kernel: bool,
    /// Who opens: the thread that acts, and the process that it belongs to.
    pub source: ThreadRef,
    /// The process that this thread is attached to, if that is not its own.
    pub attached: Option<ProcessRef>,
    /// What is opened.
    pub target: Target,
    /// Of a duplicate: whose handle was copied, and for whom.
    pub duplicate: Option<Duplicate>,
    /// Which rights.
    pub access: Access,
    /// NTSTATUS of the open.
    pub status: u32,
}

/// How a handle comes to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// By an open, or with a new process or thread.
    Create,
    /// As a copy of another handle.
    Duplicate,
}

impl Operation {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Duplicate => "duplicate",
        }
    }
}

/// The object that a handle is to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: TargetType,
    /// Of the process, or of the thread's.
    pub pid: u32,
    /// Of the thread; `None` for a process.
    pub tid: Option<u32>,
    /// Start key of that process.
    pub key: Option<Hex>,
    /// As [`super::Process::image`], of that process.
    pub image: Option<Arc<str>>,
}

/// The types of which handles are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetType {
    /// A process.
    Process,
    /// A thread.
    Thread,
}

impl TargetType {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Thread => "thread",
        }
    }
}

/// Between whom a handle was copied (page "OB_PRE_DUPLICATE_HANDLE_INFORMATION"); neither need be
/// who did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Duplicate {
    /// Whose handle it was.
    pub from: ProcessId,
    /// Who has the copy.
    pub to: ProcessId,
}

/// A process by its numbers alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// Process id.
    pub pid: u32,
    /// As [`super::Process::key`].
    pub key: Option<Hex>,
}

/// Rights of a handle, as bits (see [`crate::rights`]; pages "OB_PRE_CREATE_HANDLE_INFORMATION" and
/// "OB_POST_CREATE_HANDLE_INFORMATION").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// What was left of `original` when ntwatch.sys had its turn and was done; other drivers may
    /// take more.
    pub desired: u32,
    /// What was asked for.
    pub original: u32,
    /// What the handle has; `None` if the open failed.
    pub granted: Option<u32>,
    /// Rights asked for by name that the handle has not got, whoever took them away; `None` if the
    /// open failed. Generic rights and MAXIMUM_ALLOWED ask for no right by name.
    pub stripped: Option<u32>,
}
