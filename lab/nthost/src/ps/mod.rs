//! Processes and threads: who there is, who starts, who ends, and who is told.

mod id;
mod image;
mod lent;
mod lifecycle;
pub(crate) mod notify;
mod open;
mod process;
pub(crate) mod query;
mod thread;

pub use image::NewImage;
pub use notify::{CallCount, HostRoutine, ImageNotify, Place, ProcessNotify, ThreadNotify};
pub use open::Open;
pub use process::{NewProcess, Parent, Process};
pub use thread::{NewThread, Thread};

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
    /// Threads that were started and have not exited, by id.
    threads: RwLock<HashMap<u32, ObjectRef<Thread>>>,
    created: AtomicU64,
    next_key: AtomicU64,
    /// The System process, pid 4.
    pub system: ObjectRef<Process>,
    /// Who is told of processes that start and exit.
    pub notify: ProcessNotify,
    /// Who is told of threads that start and exit.
    pub thread_notify: ThreadNotify,
    /// Who is told of images that are mapped.
    pub image_notify: ImageNotify,
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
            threads: RwLock::default(),
            created: AtomicU64::new(1),
            next_key: AtomicU64::new(key + 1),
            system,
            notify: ProcessNotify::default(),
            thread_notify: ThreadNotify::default(),
            image_notify: ImageNotify::default(),
            accounts: Accounts::default(),
        }
    }

    /// Leaves ids to a source that names its processes itself, and start keys below `next_key`.
    pub fn leave_ids_to_source(&self, next_key: u64) {
        self.ids.leave_to_source();
        self.next_key.fetch_max(next_key, Ordering::Relaxed);
    }

    /// Makes a thread of `process` that nobody is told of. It runs when
    /// [`crate::Kernel::enter_thread`] is called.
    pub fn create_thread(&self, process: &ObjectRef<Process>) -> ObjectRef<Thread> {
        self.make_thread(process, &NewThread::default())
    }

    /// Makes a process that belongs to the lab and not to the machine's activity, such as a
    /// client's: no driver is told, and it is on no list.
    pub fn create_process(&self, token: ObjectRef<Token>) -> ObjectRef<Process> {
        self.make(NewProcess::default(), token, 0)
    }

    /// As [`Self::create_process`], from what `new` says of it.
    pub fn create_process_from(&self, new: NewProcess) -> ObjectRef<Process> {
        let token = ObjectRef::new(&self.objects, new.token.clone());
        self.make(new, token, 0)
    }

    /// The running process with this id.
    ///
    /// N.B. As in Windows the two low bits do not count, unless a source names the ids.
    pub fn find(&self, id: u32) -> Option<ObjectRef<Process>> {
        let id = self.ids.significant(id);
        self.running.read().unwrap().get(&id).cloned()
    }

    /// The thread with this id, as in [`Self::find`], that was started and has not exited.
    pub fn find_thread(&self, id: u32) -> Option<ObjectRef<Thread>> {
        let id = self.ids.significant(id);
        self.threads.read().unwrap().get(&id).cloned()
    }

    /// The threads of a process that were started and have not exited, by id.
    pub fn threads_of(&self, process: &Process) -> Vec<ObjectRef<Thread>> {
        let threads = self.threads.read().unwrap();
        let of_process = |thread: &&ObjectRef<Thread>| thread.process.is(process);
        let mut threads: Vec<_> = threads.values().filter(of_process).cloned().collect();
        threads.sort_by_key(|thread| thread.id);
        threads
    }

    /// The running processes, in order of creation.
    pub fn running(&self) -> Vec<ObjectRef<Process>> {
        let mut running: Vec<_> = self.running.read().unwrap().values().cloned().collect();
        running.sort_by_key(|process| process.order);
        running
    }

    /// What drivers have of processes' things: routines, and handles of the system.
    pub(crate) fn leaks(&self) -> Vec<Leak> {
        let routines = [
            self.notify.leaks(),
            self.thread_notify.leaks(),
            self.image_notify.leaks(),
        ];
        let handles = self.system.handles.open().into_iter().map(Leak::Handle);
        routines.into_iter().flatten().chain(handles).collect()
    }

    fn id(&self, named: Option<u32>) -> Id {
        match named {
            Some(id) => Id::named(id),
            None => self.ids.allocate(),
        }
    }

    /// As [`Self::create_thread`], from what `new` says of it.
    pub fn make_thread(&self, process: &ObjectRef<Process>, new: &NewThread) -> ObjectRef<Thread> {
        let thread = Thread::new(process, new, self.id(new.id));
        ObjectRef::new(&self.objects, thread)
    }

    fn make(&self, new: NewProcess, token: ObjectRef<Token>, time: i64) -> ObjectRef<Process> {
        let id = self.id(new.id);
        let order = self.created.fetch_add(1, Ordering::Relaxed);
        let key = match new.key {
            Some(key) => key,
            None => self.next_key.fetch_add(1, Ordering::Relaxed),
        };
        let process = Process::new(new, id, token, order, key, time);
        ObjectRef::new(&self.objects, process)
    }
}
