//! Processes and threads: who there is, who starts, who ends, and who is told.

mod id;
mod lifecycle;
pub(crate) mod notify;
mod process;
pub(crate) mod query;
mod thread;

pub use notify::{CallCount, ProcessNotify};
pub use process::{NewProcess, Parent, Process};
pub use thread::Thread;

use crate::leak::Leak;
use crate::ob::{Census, ObjectRef};
use crate::se::{Accounts, Token};
use id::{Id, Ids};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

/// The processes and threads of one machine.
pub struct Ps {
    objects: Arc<Census>,
    ids: Arc<Ids>,
    /// Processes that were created and have not exited, by id.
    running: RwLock<HashMap<u32, ObjectRef<Process>>>,
    created: AtomicU64,
    next_key: AtomicU64,
    /// The System process, pid 4.
    pub system: ObjectRef<Process>,
    /// Who is told of starts and exits.
    pub notify: ProcessNotify,
    /// The accounts that processes run as.
    pub accounts: Accounts,
}

/// The pid of the System process.
const SYSTEM_ID: u32 = 4;

/// The boot's number is in the upper bits of a start key.
pub(crate) const BOOT_SHIFT: u32 = 48;

impl Ps {
    pub(crate) fn new(objects: &Arc<Census>, boot_time: i64, boot_number: u16) -> Ps {
        let new = NewProcess {
            image_name: Some("System".into()),
            wow64: Some(false),
            ..NewProcess::default()
        };
        let token = ObjectRef::new(objects, Token::system());
        let key = u64::from(boot_number) << BOOT_SHIFT | 1;
        let system = Process::new(new, Id::named(SYSTEM_ID), token, 0, key, boot_time);
        let system = ObjectRef::new(objects, system);
        Ps {
            objects: Arc::clone(objects),
            ids: Ids::new(),
            running: RwLock::new(HashMap::from([(SYSTEM_ID, system.clone())])),
            created: AtomicU64::new(1),
            next_key: AtomicU64::new(key + 1),
            system,
            notify: ProcessNotify::default(),
            accounts: Accounts::default(),
        }
    }

    /// Leaves ids to a source that names its processes itself, and start keys below `next_key`.
    pub fn leave_ids_to_source(&self, next_key: u64) {
        self.ids.leave_to_source();
        self.next_key.fetch_max(next_key, Ordering::Relaxed);
    }

    /// Makes a thread of `process`. It runs when [`crate::Kernel::enter_thread`] is called.
    pub fn create_thread(&self, process: &ObjectRef<Process>) -> ObjectRef<Thread> {
        let thread = Thread::new(process, self.ids.allocate());
        ObjectRef::new(&self.objects, thread)
    }

    /// Makes a process that belongs to the lab and not to the machine's activity, such as a
    /// client's: no driver is told, and it is on no list.
    pub fn create_process(&self, token: ObjectRef<Token>) -> ObjectRef<Process> {
        self.make(NewProcess::default(), token, 0)
    }

    /// The running process with this id.
    pub fn find(&self, id: u32) -> Option<ObjectRef<Process>> {
        self.running.read().unwrap().get(&id).cloned()
    }

    /// The running processes, in order of creation.
    pub fn running(&self) -> Vec<ObjectRef<Process>> {
        let mut running: Vec<_> = self.running.read().unwrap().values().cloned().collect();
        running.sort_by_key(|process| process.order);
        running
    }

    /// What drivers have of processes' things: routines, and handles of the system.
    pub(crate) fn leaks(&self) -> Vec<Leak> {
        let routine = |address: usize| Leak::Callback(format!("process-notify at {address:#x}"));
        let routines = self.notify.registered().into_iter().map(routine);
        let handles = self.system.handles.open().into_iter().map(Leak::Handle);
        routines.chain(handles).collect()
    }

    fn make(&self, new: NewProcess, token: ObjectRef<Token>, time: i64) -> ObjectRef<Process> {
        let id = match new.id {
            Some(id) => Id::named(id),
            None => self.ids.allocate(),
        };
        let order = self.created.fetch_add(1, Ordering::Relaxed);
        let key = match new.key {
            Some(key) => key,
            None => self.next_key.fetch_add(1, Ordering::Relaxed),
        };
        let process = Process::new(new, id, token, order, key, time);
        ObjectRef::new(&self.objects, process)
    }
}
