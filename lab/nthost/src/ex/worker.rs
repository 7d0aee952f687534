//! System worker threads: real threads that run work items as threads of the System process.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use crate::Kernel;
use crate::ke::{PASSIVE_LEVEL, bug_check};
use crate::ob::ObjectRef;
use crate::ps::Thread;

/// Threads a machine starts at most. Windows has more; a driver that needs more than this many at
/// once deadlocks there as well, only later.
const MAX_THREADS: usize = 16;

type Work = Box<dyn FnOnce() + Send>;

/// The system worker threads of one machine. They start when there is work.
#[derive(Default)]
pub struct WorkerPool {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    work_or_end: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<(Arc<Kernel>, Work)>,
    threads: usize,
    idle: usize,
    ended: bool,
}

impl WorkerPool {
    /// Queues `work` to run at PASSIVE_LEVEL in a thread of `kernel`'s System process. Any IRQL.
    pub fn queue(&self, kernel: &Arc<Kernel>, work: impl FnOnce() + Send + 'static) {
        let mut state = self.shared.state.lock().unwrap();
        state.queue.push_back((Arc::clone(kernel), Box::new(work)));
        if state.idle >= state.queue.len() || state.threads == MAX_THREADS {
            self.shared.work_or_end.notify_one();
            return;
        }
        state.threads += 1;
        drop(state);
        let shared = Arc::clone(&self.shared);
        let thread = kernel.ps.create_thread(&kernel.ps.system);
        thread::Builder::new()
            .name("nt worker".into())
            .spawn(move || shared.run(&thread))
            .expect("a thread for system work can be started");
    }
}

impl Drop for WorkerPool {
    fn drop(&mut self) {
        // Each queued item holds its machine, so the queue is empty by now. The last holder may be
        // a worker itself: nobody is waited for.
        self.shared.state.lock().unwrap().ended = true;
        self.shared.work_or_end.notify_all();
    }
}

impl Shared {
    fn run(&self, thread: &ObjectRef<Thread>) {
        while let Some((kernel, work)) = self.next() {
            kernel.enter_thread(thread, || {
                work();
                let irql = thread.ke.irql();
                if irql != PASSIVE_LEVEL {
                    bug_check!(
                        IRQL_NOT_LESS_OR_EQUAL,
                        "a work item returned at IRQL {irql}"
                    );
                }
            });
        }
    }

    fn next(&self) -> Option<(Arc<Kernel>, Work)> {
        let mut state = self.state.lock().unwrap();
        loop {
            if let Some(work) = state.queue.pop_front() {
                return Some(work);
            }
            if state.ended {
                return None;
            }
            state.idle += 1;
            state = self.work_or_end.wait(state).unwrap();
            state.idle -= 1;
        }
    }
}
