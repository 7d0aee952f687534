//! How processes and threads come and go.

use super::{NewProcess, NewThread, Parent, Process, Ps, Thread};
use crate::ob::ObjectRef;
use crate::{Current, Kernel};
use std::sync::Arc;
use std::sync::atomic::Ordering;
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

    /// Starts a process as `creator` would: in a thread of that process drivers are told, and
    /// may refuse. As for [`Self::add_process`] an id is borne by one process only.
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
        let status = self.enter(creator, || self.ps.notify.start(&process));
        if status < 0 {
            self.exit_process(&process, status);
            return Err(status);
        }
        Ok(process)
    }

    /// Ends a process: drivers are told in its last thread, then it is off the list.
    pub fn exit_process(self: &Arc<Self>, process: &ObjectRef<Process>, status: NTSTATUS) {
        process.exit_status.store(status, Ordering::Relaxed);
        self.enter(process, || self.ps.notify.exit(process));
        self.forget_process(process);
    }

    /// Takes a process off the list, and its threads; its handles are closed. Nobody is told.
    pub fn forget_process(&self, process: &ObjectRef<Process>) {
        process.handles.close_all();
        self.ps.forget_threads(|thread| thread.process == *process);
        let mut running = self.ps.running.write().unwrap();
        let forgotten = match running.get(&process.id) {
            Some(bearer) if bearer == process => running.remove(&process.id),
            _ => None,
        };
        drop(running);
        drop(forgotten);
    }

    /// Starts a thread of `process` as the current thread would: drivers are told in this one.
    /// The first thread of a process is started as any other.
    pub fn start_thread(
        self: &Arc<Self>,
        process: &ObjectRef<Process>,
        new: NewThread,
    ) -> ObjectRef<Thread> {
        let thread = self.ps.make_thread(process, &new);
        let mut threads = self.ps.threads.write().unwrap();
        let replaced = threads.insert(thread.id, thread.clone());
        drop(threads);
        // The last reference may be this one; its body goes without the lock.
        drop(replaced);
        self.ps.thread_notify.start(self, &thread);
        thread
    }

    /// Ends a thread: drivers are told in that thread, then it is off the list.
    pub fn exit_thread(self: &Arc<Self>, thread: &ObjectRef<Thread>, status: NTSTATUS) {
        thread.exit_status.store(status, Ordering::Relaxed);
        self.enter_thread(thread, || self.ps.thread_notify.exit(thread));
        self.ps.forget_threads(|other| other == thread);
    }

    /// Runs `body` with the current thread attached to `process`, as `KeStackAttachProcess` does:
    /// that is the current process then, and its handles are the current ones.
    pub fn attach<R>(
        self: &Arc<Self>,
        process: &ObjectRef<Process>,
        body: impl FnOnce() -> R,
    ) -> R {
        let thread = Current::with(|current| current.thread.clone());
        thread.attach(process, body)
    }
}

impl Ps {
    /// Takes threads off the list.
    fn forget_threads(&self, mut which: impl FnMut(&ObjectRef<Thread>) -> bool) {
        let mut threads = self.threads.write().unwrap();
        let forgotten: Vec<_> = threads.extract_if(|_, thread| which(thread)).collect();
        drop(threads);
        drop(forgotten);
    }
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
    fn an_attached_thread_has_another_current_process_and_the_same_owner() {
        let kernel = Kernel::boot(Config::default());
        let [own, other] = [(); 2].map(|()| kernel.add_process(NewProcess::default()));
        let current = || Current::with(|current| current.thread.current_process());
        kernel.enter(&own, || {
            kernel.attach(&other, || {
                assert_eq!(current(), other);
                assert_eq!(Current::with(|c| c.thread.process.clone()), own);
            });
            assert_eq!(current(), own);
        });
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
