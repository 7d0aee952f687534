//! How processes and threads come and go.

use super::{NewProcess, NewThread, Parent, Process, Ps, Thread};
use crate::Kernel;
use crate::ob::{Object, ObjectRef};
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, RwLock};
use windows_sys::Win32::Foundation::NTSTATUS;

impl Kernel {
    /// Makes a process that is simply there: nobody is told.
    ///
    /// A process that bears the same id is no longer running from here on, nobody being told of
    /// that either.
    pub fn add_process(&self, new: NewProcess) -> ObjectRef<Process> {
        let token = ObjectRef::new(&self.objects, new.token.clone());
        let process = self.ps.make(new, token, self.clock.now());
        let mut running = self.ps.running.write().unwrap();
        let replaced = running.insert(process.id, process.clone());
        drop(running);
        // The last reference may be this one; its body goes without the lock.
        drop(replaced);
        process
    }

    /// Starts a process as `creator` would: in a thread of that process, which is the current one
    /// if that is one of it, drivers are told, and may refuse. As for [`Self::add_process`] an id
    /// is borne by one process only.
    ///
    /// # Errors
    /// The status that a driver refused it with. The process was there for a moment and has
    /// exited.
    pub fn start_process(
        self: &Arc<Self>,
        creator: &ObjectRef<Process>,
        mut new: NewProcess,
    ) -> Result<ObjectRef<Process>, NTSTATUS> {
        new.parent.get_or_insert(Parent {
            id: creator.id,
            key: Some(creator.key),
        });
        let process = self.add_process(new);
        let status = self.act_as(creator, || self.ps.notify.start(&process));
        if status < 0 {
            self.exit_process(&process, status);
            return Err(status);
        }
        Ok(process)
    }

    /// Ends a process: its threads end, each as by [`Self::exit_thread`]; in the last of them
    /// drivers are told of the process, then it is off the list, and its handles are closed.
    ///
    /// Of a process without threads they are told in one that is made for it.
    pub fn exit_process(self: &Arc<Self>, process: &ObjectRef<Process>, status: NTSTATUS) {
        process.exit_status.store(status, Ordering::Relaxed);
        let threads = self.ps.threads_of(process);
        for thread in &threads {
            self.exit_thread(thread, status);
        }
        let last = threads.last().cloned();
        let last = last.unwrap_or_else(|| self.ps.create_thread(process));
        self.enter_thread(&last, || self.ps.notify.exit(process));
        self.forget_process(process);
    }

    /// Takes a process off the list, and its threads; its handles are closed. Nobody is told.
    pub fn forget_process(&self, process: &ObjectRef<Process>) {
        process.handles.close_all();
        self.ps.forget_threads_of(process);
        take_off(&self.ps.running, process.id, process);
    }

    /// Makes a thread that is simply there: nobody is told. As for [`Self::add_process`] an id is
    /// borne by one thread only.
    pub fn add_thread(&self, process: &ObjectRef<Process>, new: &NewThread) -> ObjectRef<Thread> {
        let thread = self.ps.make_thread(process, new);
        let mut threads = self.ps.threads.write().unwrap();
        let replaced = threads.insert(thread.id, thread.clone());
        drop(threads);
        // The last reference may be this one; its body goes without the lock.
        drop(replaced);
        thread
    }

    /// Starts a thread of `process` as the current thread would: drivers are told in this one.
    /// The first thread of a process is started as any other.
    pub fn start_thread(
        self: &Arc<Self>,
        process: &ObjectRef<Process>,
        new: NewThread,
    ) -> ObjectRef<Thread> {
        let thread = self.add_thread(process, &new);
        self.ps.thread_notify.start(self, &thread);
        thread
    }

    /// Ends a thread: drivers are told in that thread, then it is off the list.
    pub fn exit_thread(self: &Arc<Self>, thread: &ObjectRef<Thread>, status: NTSTATUS) {
        thread.exit_status.store(status, Ordering::Relaxed);
        self.enter_thread(thread, || self.ps.thread_notify.exit(thread));
        take_off(&self.ps.threads, thread.id, thread);
    }
}

impl Ps {
    /// Takes the threads of a process off the list.
    fn forget_threads_of(&self, process: &Process) {
        let mut threads = self.threads.write().unwrap();
        let of_process = |_: &u32, thread: &mut ObjectRef<Thread>| thread.process.is(process);
        let forgotten: Vec<_> = threads.extract_if(of_process).collect();
        // Their bodies go without the lock, here and below.
        drop(threads);
        drop(forgotten);
    }
}

/// Takes `object` off `list`, unless another bears its id by now.
fn take_off<T: Object>(list: &RwLock<HashMap<u32, ObjectRef<T>>>, id: u32, object: &ObjectRef<T>) {
    let mut list = list.write().unwrap();
    let taken = match list.get(&id) {
        Some(bearer) if bearer == object => list.remove(&id),
        _ => None,
    };
    drop(list);
    drop(taken);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    #[test]
    fn a_pid_is_used_again_only_when_the_last_reference_to_its_bearer_is_gone() {
        let kernel = Kernel::boot(Config::default());
        let system = &kernel.ps.system;
        let first = kernel.start_process(system, NewProcess::default()).unwrap();
        let (id, key) = (first.id, first.key);
        kernel.exit_process(&first, 7);
        assert_eq!(first.exit_status(), 7);
        let second = kernel.start_process(system, NewProcess::default()).unwrap();
        assert_ne!(second.id, id);
        drop(first);
        let third = kernel.start_process(system, NewProcess::default()).unwrap();
        assert_eq!(third.id, id);
        assert!(third.key > key);
    }

    #[test]
    fn a_process_whose_pid_another_bears_can_still_exit() {
        let kernel = Kernel::boot(Config::default());
        let new = NewProcess {
            id: Some(100),
            ..NewProcess::default()
        };
        let old = kernel.add_process(new.clone());
        let young = kernel.start_process(&old, new).unwrap();
        kernel.exit_process(&old, 0);
        assert_eq!(kernel.ps.find(100), Some(young));
    }

    #[test]
    fn the_two_low_bits_of_an_id_do_not_count_unless_a_source_names_the_ids() {
        let kernel = Kernel::boot(Config::default());
        let process = kernel.start_process(&kernel.ps.system, NewProcess::default());
        let process = process.unwrap();
        let thread = kernel.add_thread(&process, &NewThread::default());
        let found = |bits| {
            let found = kernel.ps.find(process.id | bits);
            let in_it = kernel.ps.find_thread(thread.id | bits);
            (
                found.as_ref() == Some(&process),
                in_it.as_ref() == Some(&thread),
            )
        };
        assert_eq!([0, 1, 2, 3].map(found), [(true, true); 4]);
        kernel.ps.leave_ids_to_source(0);
        assert_eq!([found(0), found(3)], [(true, true), (false, false)]);
    }

    #[test]
    fn an_exit_takes_the_threads_along() {
        let kernel = Kernel::boot(Config::default());
        let process = kernel.add_process(NewProcess::default());
        let id = kernel.enter(&kernel.ps.system, || {
            let new = NewThread {
                id: Some(204),
                ..NewThread::default()
            };
            kernel.start_thread(&process, new).id
        });
        assert_eq!(id, 204);
        kernel.exit_process(&process, 0);
        assert_eq!(kernel.ps.find_thread(204), None);
    }
}
