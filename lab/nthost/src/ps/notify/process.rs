//! Process-notify routines: who is told of starts and exits.

use super::routines::Routines;
use super::text::Text;
use super::{CallCount, Counter};
use crate::exports::exports;
use crate::ke::callback::call_back_at_passive;
use crate::ob::ObjectRef;
use crate::ps::{Process, Thread};
use crate::{Current, Leak};
use std::ffi::c_void;
use std::sync::{Arc, RwLock};
use std::{fmt, ptr};
use windows_sys::Wdk::System::SystemServices::{
    PS_CREATE_NOTIFY_INFO, PS_CREATE_NOTIFY_INFO_0, PsCreateProcessNotifySubsystems,
};
use windows_sys::Win32::Foundation::{
    NTSTATUS, STATUS_ACCESS_DENIED, STATUS_INVALID_PARAMETER, STATUS_PROCEDURE_NOT_FOUND,
    STATUS_SUCCESS,
};
use windows_sys::Win32::System::WindowsProgramming::CLIENT_ID;

exports! {
    PASSIVE_LEVEL: PsSetCreateProcessNotifyRoutineEx, PsSetCreateProcessNotifyRoutineEx2;
}

/// Page "PCREATE_PROCESS_NOTIFY_ROUTINE_EX". Called at PASSIVE_LEVEL, in a critical region.
type NotifyRoutine =
    unsafe extern "win64" fn(*mut Process, process_id: usize, *mut PS_CREATE_NOTIFY_INFO);

/// A routine of the host, which stands for another driver's. It is told what drivers are told,
/// and may refuse a start by `CreationStatus`.
pub type HostRoutine =
    dyn Fn(&ObjectRef<Process>, Option<&mut PS_CREATE_NOTIFY_INFO>) + Send + Sync;

/// When a [`HostRoutine`] is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Before the drivers' routines.
    Before,
    /// After the drivers' routines.
    After,
}

const FILE_OPEN_NAME_AVAILABLE: u32 = 1 << 0;
const IS_SUBSYSTEM_PROCESS: u32 = 1 << 1;

/// The routines of one machine.
#[derive(Default)]
pub struct ProcessNotify {
    routines: Routines<Options>,
    host: RwLock<Vec<(Place, Arc<HostRoutine>)>>,
    starts: Counter,
    exits: Counter,
}

#[derive(Debug)]
struct Options {
    /// Told of subsystem processes too: registered with `…Ex2`.
    subsystems: bool,
}

impl fmt::Debug for ProcessNotify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.routines, f)
    }
}

impl ProcessNotify {
    fn add(&self, address: usize, subsystems: bool) -> NTSTATUS {
        let registered = self.routines.registered().contains(&address);
        if registered || self.routines.add(address, Options { subsystems }).is_err() {
            return STATUS_INVALID_PARAMETER;
        }
        STATUS_SUCCESS
    }

    /// Adds a routine of the host, for the rest of the machine's life.
    pub fn add_host(
        &self,
        place: Place,
        routine: impl Fn(&ObjectRef<Process>, Option<&mut PS_CREATE_NOTIFY_INFO>)
        + Send
        + Sync
        + 'static,
    ) {
        self.host.write().unwrap().push((place, Arc::new(routine)));
    }

    /// The addresses of the routines that are registered.
    pub fn registered(&self) -> Vec<usize> {
        self.routines.registered()
    }

    /// What drivers registered and did not remove.
    pub(crate) fn leaks(&self) -> Vec<Leak> {
        self.routines.leaks("process-notify")
    }

    /// How often drivers' routines were called since boot.
    pub fn calls(&self) -> CallCount {
        CallCount {
            starts: self.starts.get(),
            exits: self.exits.get(),
        }
    }

    /// Tells everybody that `process` was created by the current thread. Gives back the status
    /// that a routine refused it with.
    pub(in crate::ps) fn start(&self, process: &ObjectRef<Process>) -> NTSTATUS {
        let told = CreateInfo::new(process);
        let mut status = STATUS_SUCCESS;
        self.tell(process, |callee| {
            status = told.with(process, |info| {
                info.CreationStatus = status;
                match callee {
                    Callee::Driver(address) => {
                        self.starts.add_one();
                        call(address, process, info);
                    }
                    Callee::Host(routine) => routine(process, Some(info)),
                }
                info.CreationStatus
            });
        });
        status
    }

    /// Tells everybody that `process` is at its end; the current thread is its last.
    pub(in crate::ps) fn exit(&self, process: &ObjectRef<Process>) {
        self.tell(process, |callee| match callee {
            Callee::Driver(address) => {
                self.exits.add_one();
                call(address, process, ptr::null_mut());
            }
            Callee::Host(routine) => routine(process, None),
        });
    }

    /// Shows `tell` all who are to be told of `process`, in their order.
    fn tell(&self, process: &Process, mut tell: impl FnMut(Callee<'_>)) {
        let host = self.host.read().unwrap().clone();
        let of = |place| host.iter().filter(move |(its, _)| *its == place);
        for (_, routine) in of(Place::Before) {
            tell(Callee::Host(&**routine));
        }
        self.routines.for_each(|address, options| {
            if options.subsystems || !process.wsl {
                tell(Callee::Driver(address));
            }
        });
        for (_, routine) in of(Place::After) {
            tell(Callee::Host(&**routine));
        }
    }
}

enum Callee<'a> {
    Driver(usize),
    Host(&'a HostRoutine),
}

/// Calls a driver's routine.
fn call(address: usize, process: &ObjectRef<Process>, info: *mut PS_CREATE_NOTIFY_INFO) {
    // SAFETY: a driver registered this address as a routine of this type, in an image that stays
    // while the routine is registered and the call is running.
    let routine: NotifyRoutine = unsafe { std::mem::transmute(address) };
    call_back_at_passive("process-notify", || {
        // SAFETY: the process is referenced for the call, and so is all that `info` points at.
        unsafe { routine(process.as_ptr(), process.id as usize, info) }
    });
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
    fn with<R>(&self, process: &Process, body: impl FnOnce(&mut PS_CREATE_NOTIFY_INFO) -> R) -> R {
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
        _ if notify.routines.remove(routine as usize) => STATUS_SUCCESS,
        _ => STATUS_PROCEDURE_NOT_FOUND,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ps::NewProcess;
    use crate::{Config, Kernel};
    use std::sync::Mutex;
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
    fn a_routine_is_registered_once() {
        let notify = ProcessNotify::default();
        assert_eq!(notify.add(1, true), STATUS_SUCCESS);
        assert_eq!(notify.add(1, true), STATUS_INVALID_PARAMETER);
        assert_eq!(notify.add(2, true), STATUS_SUCCESS);
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

    #[test]
    fn routines_of_the_host_stand_around_the_drivers_and_see_what_was_decided() {
        let kernel = Kernel::boot(Config::default());
        let seen = Arc::new(Mutex::new(Vec::new()));
        for place in [Place::After, Place::Before] {
            let seen = Arc::clone(&seen);
            kernel.ps.notify.add_host(place, move |process, info| {
                let status = info.map(|info| info.CreationStatus);
                seen.lock().unwrap().push((place, process.id, status));
            });
        }
        kernel.ps.notify.add(refuse as *const () as usize, true);
        let new = NewProcess {
            id: Some(100),
            ..new_process()
        };
        let refused = kernel.start_process(&kernel.ps.system, new);
        assert_eq!(refused.unwrap_err(), STATUS_UNSUCCESSFUL);
        let expected = [
            (Place::Before, 100, Some(STATUS_SUCCESS)),
            (Place::After, 100, Some(STATUS_UNSUCCESSFUL)),
            (Place::Before, 100, None),
            (Place::After, 100, None),
        ];
        assert_eq!(*seen.lock().unwrap(), expected);
    }
}
