//! Processes and threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::ke::ThreadState;
use crate::ob::{Census, Kind, Object, ObjectRef};
use crate::se::Token;

/// A modelled process.
pub struct Process {
    /// Its id.
    pub id: u32,
    /// Its primary token.
    pub token: ObjectRef<Token>,
}

impl Object for Process {
    const KIND: Kind = Kind::Process;
    fn describe(&self) -> String {
        format!("pid {}", self.id)
    }
}

/// A modelled thread.
pub struct Thread {
    /// Its id.
    pub id: u32,
    /// The process it belongs to.
    pub process: ObjectRef<Process>,
    /// What [`crate::ke`] keeps for it.
    pub ke: ThreadState,
}

impl Object for Thread {
    const KIND: Kind = Kind::Thread;
    fn describe(&self) -> String {
        format!("tid {} of pid {}", self.id, self.process.id)
    }
}

/// The processes and threads of one machine.
pub struct Ps {
    objects: Arc<Census>,
    next_id: AtomicU32,
    /// The System process, pid 4.
    pub system: ObjectRef<Process>,
}

impl Ps {
    pub(crate) fn new(objects: &Arc<Census>) -> Ps {
        let token = ObjectRef::new(objects, Token::system());
        let system = ObjectRef::new(objects, Process { id: 4, token });
        Ps {
            objects: Arc::clone(objects),
            next_id: AtomicU32::new(8),
            system,
        }
    }

    /// Makes a thread of `process`. It runs when [`crate::Kernel::enter_thread`] is called.
    pub fn create_thread(&self, process: &ObjectRef<Process>) -> ObjectRef<Thread> {
        let thread = Thread {
            id: self.next_id(),
            process: process.clone(),
            ke: ThreadState::default(),
        };
        ObjectRef::new(&self.objects, thread)
    }

    /// Makes a process, without telling any driver.
    pub fn create_process(&self, token: ObjectRef<Token>) -> ObjectRef<Process> {
        ObjectRef::new(
            &self.objects,
            Process {
                id: self.next_id(),
                token,
            },
        )
    }

    fn next_id(&self) -> u32 {
        self.next_id.fetch_add(4, Ordering::Relaxed)
    }
}
