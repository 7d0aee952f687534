//! The thread object.

use super::Process;
use super::id::Id;
use crate::ke::ThreadState;
use crate::ob::{Kind, Object, ObjectRef};

/// A modelled thread.
#[derive(Debug)]
pub struct Thread {
    /// Its id.
    pub id: u32,
    /// The process it belongs to.
    pub process: ObjectRef<Process>,
    /// What [`crate::ke`] keeps for it.
    pub ke: ThreadState,
    _id: Id,
}

impl Thread {
    pub(super) fn new(process: &ObjectRef<Process>, id: Id) -> Thread {
        Thread {
            id: id.value(),
            process: process.clone(),
            ke: ThreadState::default(),
            _id: id,
        }
    }
}

impl Object for Thread {
    const KIND: Kind = Kind::Thread;
    fn describe(&self) -> String {
        format!("tid {} of pid {}", self.id, self.process.id)
    }
}
