//! Process-notify routines: who is told of starts and exits.

use super::{Process, Thread};
use crate::Current;
use crate::exports::exports;
use crate::ke::bug_check;
use crate::ob::ObjectRef;
use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, RwLock};
use windows_sys::Wdk::System::SystemServices::{
    PS_CREATE_NOTIFY_INFO, PS_CREATE_NOTIFY_INFO_0, PsCreateProcessNotifySubsystems,
};
use windows_sys::Win32::Foundation::{
    NTSTATUS, STATUS_ACCESS_DENIED, STATUS_INVALID_PARAMETER, STATUS_PROCEDURE_NOT_FOUND,
    STATUS_SUCCESS, UNICODE_STRING,
};
use windows_sys::Win32::System::WindowsProgramming::CLIENT_ID;

exports! {
    PASSIVE_LEVEL: PsSetCreateProcessNotifyRoutineEx, PsSetCreateProcessNotifyRoutineEx2;
}

/// Page "PCREATE_PROCESS_NOTIFY_ROUTINE_EX". Called at PASSIVE_LEVEL, in a critical region.
type NotifyRoutine =
    unsafe extern "win64" fn(*mut Process, process_id: usize, *mut PS_CREATE_NOTIFY_INFO);

/// How many routines a machine takes.
const MAX_ROUTINES: usize = 64;

const FILE_OPEN_NAME_AVAILABLE: u32 = 1 << 0;
const IS_SUBSYSTEM_PROCESS: u32 = 1 << 1;

/// The routines of one machine.
#[derive(Debug, Default)]
pub struct ProcessNotify {
    routines: RwLock<Vec<Arc<Routine>>>,
    starts: AtomicU64,
    exits: AtomicU64,
}

#[derive(Debug)]
struct Routine {
    address: usize,
    /// Told of subsystem processes too: registered with `…Ex2`.
    subsystems: bool,
    calls: Mutex<Calls>,
    last_call_over: Condvar,
}

#[derive(Debug, Default)]
struct Calls {
    running: usize,
    removed: bool,
}

/// How often routines were called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallCount {
    /// Of a process that starts.
    pub starts: u64,
    /// Of a process that exits.
    pub exits: u64,
}

impl ProcessNotify {
    fn add(&self, address: usize, subsystems: bool) -> NTSTATUS {
        let mut routines = self.routines.write().unwrap();
        let registered = routines.iter().any(|routine| routine.address == address);
        if registered || routines.len() == MAX_ROUTINES {
            return STATUS_INVALID_PARAMETER;
        }
        routines.push(Arc::new(Routine {
            address,
            subsystems,
            calls: Mutex::default(),
            last_call_over: Condvar::new(),
        }));
        STATUS_SUCCESS
    }

    /// Returns only when no call of the routine is running any more.
    fn remove(&self, address: usize) -> NTSTATUS {
        let routine = {
            let mut routines = self.routines.write().unwrap();
            let Some(index) = routines.iter().position(|r| r.address == address) else {
                return STATUS_PROCEDURE_NOT_FOUND;
            };
            routines.remove(index)
        };
        let mut calls = routine.calls.lock().unwrap();
        calls.removed = true;
        drop(
            routine
                .last_call_over
                .wait_while(calls, |calls| calls.running > 0),
        );
        STATUS_SUCCESS
    }

    /// The addresses of the routines that are registered.
    pub fn registered(&self) -> Vec<usize> {
        let routines = self.routines.read().unwrap();
        routines.iter().map(|routine| routine.address).collect()
    }

    /// How often routines were called since boot.
    pub fn calls(&self) -> CallCount {
        CallCount {
            starts: self.starts.load(Ordering::Relaxed),
            exits: self.exits.load(Ordering::Relaxed),
        }
    }

    /// Tells everybody that `process` was created by the current thread. Gives back the status
    /// that a routine refused it with.
    pub(super) fn start(&self, process: &ObjectRef<Process>) -> NTSTATUS {
        let mut told = CreateInfo::new(process);
        let mut status = STATUS_SUCCESS;
        for routine in self.called(process) {
            self.starts.fetch_add(1, Ordering::Relaxed);
            status = told.with(process, |info| {
                info.CreationStatus = status;
                routine.call(process, info);
                info.CreationStatus
            });
        }
        status
    }

    /// Tells everybody that `process` is at its end; the current thread is its last.
    pub(super) fn exit(&self, process: &ObjectRef<Process>) {
        for routine in self.called(process) {
            self.exits.fetch_add(1, Ordering::Relaxed);
            routine.call(process, ptr::null_mut());
        }
    }

    fn called(&self, process: &Process) -> Vec<Arc<Routine>> {
        let routines = self.routines.read().unwrap();
        let told = |routine: &&Arc<Routine>| routine.subsystems || !process.wsl;
        routines.iter().filter(told).cloned().collect()
    }
}

impl Routine {
    /// Calls the routine unless it was removed meanwhile.
    fn call(&self, process: &ObjectRef<Process>, info: *mut PS_CREATE_NOTIFY_INFO) {
        {
            let mut calls = self.calls.lock().unwrap();
            if calls.removed {
                return;
            }
            calls.running += 1;
        }
        let state = || Current::with(|c| (c.thread.ke.irql(), c.thread.ke.regions()));
        Current::with(|current| current.thread.ke.enter_critical_region());
        let before = state();
        // SAFETY: a driver registered this address as a routine of this type, in an image that
        // cannot be unloaded while the routine is registered and `running` is not zero.
        let routine: NotifyRoutine = unsafe { std::mem::transmute(self.address) };
        // SAFETY: the process is referenced for the call, and so is all that `info` points at.
        unsafe { routine(process.as_ptr(), process.id as usize, info) };
        let after = state();
        if before != after {
            bug_check!(
                IRQL_NOT_LESS_OR_EQUAL,
                "a process-notify routine came at (IRQL, regions) {before:?} and left at {after:?}"
            );
        }
        Current::with(|current| current.thread.ke.leave_critical_region());
        let mut calls = self.calls.lock().unwrap();
        calls.running -= 1;
        if calls.running == 0 {
            self.last_call_over.notify_all();
        }
    }
}

/// What a routine is told of a new process. Everything it points at is gone after the call.
struct CreateInfo {
    parent: usize,
    creator: CLIENT_ID,
    flags: u32,
}

impl CreateInfo {
    fn new(process: &Process) -> CreateInfo {
        let creator = Current::with(|current| {
            let thread: &Thread = &current.thread;
            CLIENT_ID {
                UniqueProcess: thread.process.id as usize as _,
                UniqueThread: thread.id as usize as _,
            }
        });
        let mut flags = 0;
        if process.image_name.is_some() {
            flags |= FILE_OPEN_NAME_AVAILABLE;
        }
        if process.wsl {
            flags |= IS_SUBSYSTEM_PROCESS;
        }
        CreateInfo {
            parent: process.parent.map_or(0, |parent| parent.id as usize),
            creator,
            flags,
        }
    }

    /// Calls `body` with the structure, its strings in memory of their own.
    fn with<R>(
        &mut self,
        process: &Process,
        body: impl FnOnce(&mut PS_CREATE_NOTIFY_INFO) -> R,
    ) -> R {
        let mut image = Text::of(process.image_name.as_deref());
        let mut command_line = Text::of(process.command_line.as_deref());
        body(&mut PS_CREATE_NOTIFY_INFO {
            Size: size_of::<PS_CREATE_NOTIFY_INFO>(),
            Anonymous: PS_CREATE_NOTIFY_INFO_0 { Flags: self.flags },
            ParentProcessId: self.parent as _,
            CreatingThreadId: self.creator,
            // N.B. Windows has one here; the model opens no file.
            FileObject: ptr::null_mut(),
            ImageFileName: image.as_mut().map_or(ptr::null_mut(), Text::pointer),
            CommandLine: command_line.as_mut().map_or(ptr::null_mut(), Text::pointer),
            CreationStatus: STATUS_SUCCESS,
        })
    }
}

/// A string for one call. Overwritten when the call is over, so that a driver that kept the
/// pointer reads rubbish.
struct Text {
    units: Vec<u16>,
    string: UNICODE_STRING,
}

impl Text {
    fn of(units: Option<&[u16]>) -> Option<Text> {
        let mut units = units?.to_vec();
        let bytes = (units.len() * 2) as u16;
        let string = UNICODE_STRING {
            Length: bytes,
            MaximumLength: bytes,
            Buffer: units.as_mut_ptr(),
        };
        Some(Text { units, string })
    }

    fn pointer(&mut self) -> *mut UNICODE_STRING {
        &raw mut self.string
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        self.units.fill(0xdddd);
        std::hint::black_box(&self.units);
    }
}

/// IRQL = PASSIVE_LEVEL. Page "PsSetCreateProcessNotifyRoutineEx2".
///
/// N.B. Removing a routine that is not registered gives `STATUS_PROCEDURE_NOT_FOUND`, which the
/// page does not list.
extern "win64" fn PsSetCreateProcessNotifyRoutineEx2(
    kind: i32,
    routine: *const c_void,
    remove: u8,
) -> NTSTATUS {
    if kind != PsCreateProcessNotifySubsystems {
        return STATUS_INVALID_PARAMETER;
    }
    set(routine, remove, true)
}

/// IRQL = PASSIVE_LEVEL. As `…Ex2`, but never told of subsystem processes.
extern "win64" fn PsSetCreateProcessNotifyRoutineEx(
    routine: *const c_void,
    remove: u8,
) -> NTSTATUS {
    set(routine, remove, false)
}

fn set(routine: *const c_void, remove: u8, subsystems: bool) -> NTSTATUS {
    let kernel = Current::with(|current| Arc::clone(&current.kernel));
    let notify = &kernel.ps.notify;
    let image = kernel.modules.find(routine as usize);
    match remove {
        0 if !image.is_some_and(|image| image.force_integrity()) => STATUS_ACCESS_DENIED,
        0 => notify.add(routine as usize, subsystems),
        _ => notify.remove(routine as usize),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ps::NewProcess;
    use crate::{Config, Kernel};
    use std::sync::atomic::AtomicBool;
    use std::thread;
    use windows_sys::Win32::Foundation::STATUS_UNSUCCESSFUL;

    fn new_process() -> NewProcess {
        NewProcess {
            image_name: Some(r"\??\C:\a.exe".into()),
            command_line: Some("a -b".into()),
            ..NewProcess::default()
        }
    }

    unsafe extern "win64" fn nothing(_: *mut Process, _: usize, _: *mut PS_CREATE_NOTIFY_INFO) {}

    #[test]
    fn a_routine_outside_of_a_driver_is_refused_and_so_is_another_kind() {
        let kernel = Kernel::boot(Config::default());
        kernel.enter(&kernel.ps.system, || {
            let routine = nothing as *const c_void;
            let status = PsSetCreateProcessNotifyRoutineEx2(0, routine, 0);
            assert_eq!(status, STATUS_ACCESS_DENIED);
            let status = PsSetCreateProcessNotifyRoutineEx2(1, routine, 0);
            assert_eq!(status, STATUS_INVALID_PARAMETER);
            let status = PsSetCreateProcessNotifyRoutineEx2(0, routine, 1);
            assert_eq!(status, STATUS_PROCEDURE_NOT_FOUND);
        });
    }

    #[test]
    fn a_routine_is_registered_once_and_only_64_are() {
        let notify = ProcessNotify::default();
        for address in 1..=MAX_ROUTINES {
            assert_eq!(notify.add(address, true), STATUS_SUCCESS);
        }
        assert_eq!(notify.add(1000, true), STATUS_INVALID_PARAMETER);
        assert_eq!(notify.remove(1), STATUS_SUCCESS);
        assert_eq!(notify.add(2, true), STATUS_INVALID_PARAMETER);
        assert_eq!(notify.add(1000, true), STATUS_SUCCESS);
    }

    /// Refuses what it is told of.
    unsafe extern "win64" fn refuse(_: *mut Process, _: usize, info: *mut PS_CREATE_NOTIFY_INFO) {
        // SAFETY: null, or valid for the call.
        let Some(info) = (unsafe { info.as_mut() }) else {
            return;
        };
        let creator = Current::with(|current| current.thread.id as usize);
        assert_eq!(info.CreatingThreadId.UniqueThread as usize, creator);
        // SAFETY: a process of this test has a command line.
        assert_eq!(unsafe { (*info.CommandLine).Length }, 8);
        info.CreationStatus = STATUS_UNSUCCESSFUL;
    }

    #[test]
    fn a_process_that_a_routine_refuses_has_exited() {
        let kernel = Kernel::boot(Config::default());
        kernel.ps.notify.add(refuse as *const () as usize, true);
        let refused = kernel.start_process(&kernel.ps.system, new_process());
        assert_eq!(refused.unwrap_err(), STATUS_UNSUCCESSFUL);
        assert_eq!(kernel.ps.running().len(), 1);
        assert_eq!(
            kernel.ps.notify.calls(),
            CallCount {
                starts: 1,
                exits: 1
            }
        );
    }

    static ENTERED: AtomicBool = AtomicBool::new(false);
    static MAY_LEAVE: AtomicBool = AtomicBool::new(false);
    static LEFT: AtomicBool = AtomicBool::new(false);

    unsafe extern "win64" fn linger(_: *mut Process, _: usize, _: *mut PS_CREATE_NOTIFY_INFO) {
        ENTERED.store(true, Ordering::SeqCst);
        while !MAY_LEAVE.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        LEFT.store(true, Ordering::SeqCst);
    }

    #[test]
    fn a_routine_is_removed_only_when_its_last_call_is_over() {
        let kernel = Kernel::boot(Config::default());
        let address = linger as *const () as usize;
        kernel.ps.notify.add(address, true);
        thread::scope(|scope| {
            scope.spawn(|| kernel.start_process(&kernel.ps.system, new_process()));
            while !ENTERED.load(Ordering::SeqCst) {
                thread::yield_now();
            }
            let removing = scope.spawn(|| {
                kernel.ps.notify.remove(address);
                assert!(LEFT.load(Ordering::SeqCst));
            });
            while !kernel.ps.notify.registered().is_empty() {
                thread::yield_now();
            }
            assert!(!removing.is_finished());
            MAY_LEAVE.store(true, Ordering::SeqCst);
        });
        assert!(kernel.ps.notify.registered().is_empty());
    }
}
