//! Thread-notify routines: who is told of threads that start and exit.

use super::routines::Routines;
use super::{CallCount, Counter};
use crate::exports::exports;
use crate::ke::callback::call_back;
use crate::ob::ObjectRef;
use crate::ps::Thread;
use crate::{Current, Kernel, Leak};
use std::ffi::c_void;
use std::sync::Arc;
use windows_sys::Wdk::System::SystemServices::{
    PsCreateThreadNotifyNonSystem, PsCreateThreadNotifySubsystems,
};
use windows_sys::Win32::Foundation::{
    NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER, STATUS_PROCEDURE_NOT_FOUND,
    STATUS_SUCCESS,
};

exports! {
    PASSIVE_LEVEL: PsSetCreateThreadNotifyRoutine, PsSetCreateThreadNotifyRoutineEx;
    APC_LEVEL: PsRemoveCreateThreadNotifyRoutine;
}

/// Page "PCREATE_THREAD_NOTIFY_ROUTINE". Called at PASSIVE_LEVEL or APC_LEVEL.
type NotifyRoutine = unsafe extern "win64" fn(process_id: usize, thread_id: usize, create: u8);

/// Of which threads a routine is told, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// Those of no subsystem; of a start in the creator's thread.
    Ordinary,
    /// Those of no subsystem and not of the system; of a start in the new thread.
    NonSystem,
    /// All; of a start in the creator's thread.
    Subsystems,
}

impl Scope {
    fn has(self, thread: &Thread) -> bool {
        match self {
            Scope::Ordinary => !thread.wsl,
            Scope::NonSystem => !thread.wsl && !thread.is_system(),
            Scope::Subsystems => true,
        }
    }
}

/// The routines of one machine.
#[derive(Debug, Default)]
pub struct ThreadNotify {
    routines: Routines<Scope>,
    starts: Counter,
    exits: Counter,
}

impl ThreadNotify {
    /// The addresses of the routines that are registered.
    pub fn registered(&self) -> Vec<usize> {
        self.routines.registered()
    }

    /// What drivers registered and did not remove.
    pub(crate) fn leaks(&self) -> Vec<Leak> {
        self.routines.leaks("thread-notify")
    }

    /// How often drivers' routines were called since boot.
    pub fn calls(&self) -> CallCount {
        CallCount {
            starts: self.starts.get(),
            exits: self.exits.get(),
        }
    }

    /// Tells everybody that `thread` was created by the current one.
    pub(in crate::ps) fn start(&self, kernel: &Arc<Kernel>, thread: &ObjectRef<Thread>) {
        self.routines.for_each(|address, scope| {
            if !scope.has(thread) {
                return;
            }
            self.starts.add_one();
            match scope {
                Scope::NonSystem => kernel.enter_thread(thread, || call(address, thread, 1)),
                Scope::Ordinary | Scope::Subsystems => call(address, thread, 1),
            }
        });
    }

    /// Tells everybody that `thread`, which is the current one, is at its end.
    pub(in crate::ps) fn exit(&self, thread: &Thread) {
        self.routines.for_each(|address, scope| {
            if scope.has(thread) {
                self.exits.add_one();
                call(address, thread, 0);
            }
        });
    }

    fn add(&self, routine: *const c_void, scope: Scope) -> NTSTATUS {
        match self.routines.add(routine as usize, scope) {
            Ok(()) => STATUS_SUCCESS,
            Err(_) => STATUS_INSUFFICIENT_RESOURCES,
        }
    }
}

/// Calls a driver's routine.
fn call(address: usize, thread: &Thread, create: u8) {
    // SAFETY: a driver registered this address as a routine of this type, in an image that stays
    // while the routine is registered and the call is running.
    let routine: NotifyRoutine = unsafe { std::mem::transmute(address) };
    call_back("thread-notify", || {
        // SAFETY: as above; it takes numbers.
        unsafe { routine(thread.process.id as usize, thread.id as usize, create) }
    });
}

fn with_notify<R>(body: impl FnOnce(&ThreadNotify) -> R) -> R {
    let kernel = Current::with(|current| Arc::clone(&current.kernel));
    body(&kernel.ps.thread_notify)
}

/// IRQL = PASSIVE_LEVEL. Page "PsSetCreateThreadNotifyRoutineEx".
///
/// N.B. The page has no status for a type that is none.
extern "win64" fn PsSetCreateThreadNotifyRoutineEx(kind: i32, routine: *const c_void) -> NTSTATUS {
    let scope = match kind {
        PsCreateThreadNotifyNonSystem => Scope::NonSystem,
        PsCreateThreadNotifySubsystems => Scope::Subsystems,
        _ => return STATUS_INVALID_PARAMETER,
    };
    with_notify(|notify| notify.add(routine, scope))
}

/// IRQL = PASSIVE_LEVEL. Page "PsSetCreateThreadNotifyRoutine".
extern "win64" fn PsSetCreateThreadNotifyRoutine(routine: *const c_void) -> NTSTATUS {
    with_notify(|notify| notify.add(routine, Scope::Ordinary))
}

/// IRQL ≤ APC_LEVEL. Removes what either function registered, when its last call is over.
extern "win64" fn PsRemoveCreateThreadNotifyRoutine(routine: *const c_void) -> NTSTATUS {
    with_notify(|notify| match notify.routines.remove(routine as usize) {
        true => STATUS_SUCCESS,
        false => STATUS_PROCEDURE_NOT_FOUND,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;
    use crate::ke::APC_LEVEL;
    use crate::ps::{NewProcess, NewThread, Place};
    use std::cell::RefCell;

    /// What a routine was told, and where: process, thread, create, current thread, IRQL.
    type Call = (usize, usize, u8, u32, u8);

    thread_local! {
        static CALLS: RefCell<Vec<Call>> = const { RefCell::new(Vec::new()) };
    }

    unsafe extern "win64" fn note(process: usize, thread: usize, create: u8) {
        let (current, irql) = Current::with(|c| (c.thread.id, c.thread.ke.irql()));
        CALLS.with_borrow_mut(|calls| calls.push((process, thread, create, current, irql)));
    }

    fn told(kernel: &Arc<Kernel>, kind: i32, body: impl FnOnce()) -> Vec<Call> {
        kernel.enter(&kernel.ps.system, || {
            let routine = note as *const c_void;
            let status = PsSetCreateThreadNotifyRoutineEx(kind, routine);
            assert_eq!(status, STATUS_SUCCESS);
            body();
            assert_eq!(PsRemoveCreateThreadNotifyRoutine(routine), STATUS_SUCCESS);
            let status = PsRemoveCreateThreadNotifyRoutine(routine);
            assert_eq!(status, STATUS_PROCEDURE_NOT_FOUND);
        });
        CALLS.take()
    }

    #[test]
    fn a_start_is_told_in_the_creator_and_an_exit_in_the_thread_itself() {
        let kernel = Kernel::boot(Config::default());
        let process = kernel.add_process(NewProcess::default());
        let (mut creator, mut id) = (0, 0);
        let calls = told(&kernel, PsCreateThreadNotifySubsystems, || {
            creator = Current::with(|current| current.thread.id);
            let thread =
                kernel.at_apc_level(|| kernel.start_thread(&process, NewThread::default()));
            id = thread.id;
            assert!(kernel.ps.find_thread(id).is_some());
            kernel.exit_thread(&thread, 7);
            assert_eq!(thread.exit_status(), 7);
            assert!(kernel.ps.find_thread(id).is_none());
        });
        let (pid, tid) = (process.id as usize, id as usize);
        let expected = [(pid, tid, 1, creator, APC_LEVEL), (pid, tid, 0, id, 0)];
        assert_eq!(calls, expected);
        let count = CallCount {
            starts: 1,
            exits: 1,
        };
        assert_eq!(kernel.ps.thread_notify.calls(), count);
    }

    #[test]
    fn every_thread_of_a_process_ends_before_it_and_it_in_the_last() {
        let kernel = Kernel::boot(Config::default());
        let process = kernel.add_process(NewProcess::default());
        kernel.ps.notify.add_host(Place::Before, |process, _| {
            // SAFETY: it takes numbers.
            unsafe { note(process.id as usize, 0, 0) };
        });
        let mut threads = Vec::new();
        let mut calls = told(&kernel, PsCreateThreadNotifySubsystems, || {
            threads = Vec::from([(); 3].map(|()| {
                let thread = kernel.start_thread(&process, NewThread::default());
                (thread.id as usize, thread.id)
            }));
            let (ended, _) = threads.remove(0);
            let ended = kernel.ps.find_thread(ended as u32).unwrap();
            kernel.exit_thread(&ended, 0);
            drop(ended);
            kernel.exit_process(&process, 7);
            assert!(kernel.ps.threads_of(&process).is_empty());
        });
        let exits = calls.split_off(4);
        let last = threads[1].1;
        let ends = threads.into_iter().chain([(0, last)]);
        let pid = process.id as usize;
        let expected: Vec<Call> = ends.map(|(told, id)| (pid, told, 0, id, 0)).collect();
        assert_eq!(exits, expected);
    }

    #[test]
    fn the_type_decides_which_threads_are_told_of_and_where() {
        let kernel = Kernel::boot(Config::default());
        let process = kernel.add_process(NewProcess::default());
        let pico = kernel.add_process(NewProcess {
            wsl: true,
            ..NewProcess::default()
        });
        let start_all = || {
            for process in [&process, &pico, &kernel.ps.system] {
                kernel.start_thread(process, NewThread::default());
            }
        };
        let calls = told(&kernel, PsCreateThreadNotifySubsystems, start_all);
        assert_eq!(calls.len(), 3);
        let calls = told(&kernel, PsCreateThreadNotifyNonSystem, start_all);
        let [(pid, tid, 1, current, _)] = calls[..] else {
            panic!("{calls:?}");
        };
        assert_eq!((pid, tid), (process.id as usize, current as usize));
        kernel.enter(&kernel.ps.system, || {
            let status = PsSetCreateThreadNotifyRoutineEx(2, note as *const c_void);
            assert_eq!(status, STATUS_INVALID_PARAMETER);
        });
    }
}
