//! The driver's routines, called as the kernel calls them.

use crate::BURST;
use nthost::Kernel;
use nthost::ob::ObjectRef;
use nthost::ps::{NewProcess, NewThread, Place, Process};
use ntwatch_protocol::access::process::VM_READ;
use std::ffi::c_void;
use std::ptr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use windows_sys::Wdk::System::SystemServices::{IMAGE_INFO, IMAGE_INFO_0, PS_CREATE_NOTIFY_INFO};
use windows_sys::Win32::Foundation::UNICODE_STRING;

/// A routine, and how long a burst of calls of it takes.
pub(crate) struct Routine {
    pub(crate) name: &'static str,
    pub(crate) burst: fn(&Arc<Kernel>) -> Duration,
}

pub(crate) const ROUTINES: [Routine; 6] = [
    Routine {
        name: "process start (40 + 200 characters)",
        burst: process_start,
    },
    Routine {
        name: "process exit",
        burst: process_exit,
    },
    Routine {
        name: "thread start",
        burst: thread_start,
    },
    Routine {
        name: "thread exit",
        burst: thread_exit,
    },
    Routine {
        name: "image load (51 characters)",
        burst: image_load,
    },
    Routine {
        name: "handle open, pre and post",
        burst: handle_open,
    },
];

/// Page "PCREATE_PROCESS_NOTIFY_ROUTINE_EX".
type ProcessNotify = unsafe extern "win64" fn(*mut Process, usize, *mut PS_CREATE_NOTIFY_INFO);
/// Page "PCREATE_THREAD_NOTIFY_ROUTINE".
type ThreadNotify = unsafe extern "win64" fn(usize, usize, u8);
/// Page "PLOAD_IMAGE_NOTIFY_ROUTINE".
type ImageNotify = unsafe extern "win64" fn(*const UNICODE_STRING, usize, *const IMAGE_INFO);

fn time(mut call: impl FnMut()) -> Duration {
    let started = Instant::now();
    for _ in 0..BURST {
        call();
    }
    started.elapsed()
}

/// The one routine that the driver registered.
fn only(registered: &[usize]) -> *const c_void {
    let [address] = registered else {
        panic!("one driver has registered one routine");
    };
    ptr::with_exposed_provenance(*address)
}

fn process_notify(kernel: &Kernel) -> ProcessNotify {
    let address = only(&kernel.ps.notify.registered());
    // SAFETY: the driver registered a routine of this type, and is not unloaded meanwhile.
    unsafe { std::mem::transmute::<*const c_void, ProcessNotify>(address) }
}

fn thread_notify(kernel: &Kernel) -> ThreadNotify {
    let address = only(&kernel.ps.thread_notify.registered());
    // SAFETY: as in `process_notify`.
    unsafe { std::mem::transmute::<*const c_void, ThreadNotify>(address) }
}

fn image_notify(kernel: &Kernel) -> ImageNotify {
    let address = only(&kernel.ps.image_notify.registered());
    // SAFETY: as in `process_notify`.
    unsafe { std::mem::transmute::<*const c_void, ImageNotify>(address) }
}

fn running(kernel: &Kernel) -> ObjectRef<Process> {
    kernel.add_process(NewProcess::default())
}

/// The kernel's own information of a new process: a routine of the host borrows it.
fn process_start(kernel: &Arc<Kernel>) -> Duration {
    let routine = process_notify(kernel);
    let took = Arc::new(OnceLock::new());
    let result = Arc::clone(&took);
    // Stays for the rest of the machine's life, but measures once.
    kernel
        .ps
        .notify
        .add_host(Place::Before, move |process, info| {
            if let Some(info) = info {
                took.get_or_init(|| {
                    // SAFETY: as the kernel calls it, in the creator's thread, with its information.
                    time(|| unsafe { routine(process.as_ptr(), 8, &raw mut *info) })
                });
            }
        });
    let new = NewProcess {
        image_name: Some(r"\??\C:\Windows\System32\backgroundTask.exe".into()),
        command_line: Some("x".repeat(200)),
        ..NewProcess::default()
    };
    let process = kernel.start_process(&kernel.ps.system, new);
    kernel.forget_process(&process.expect("nobody refuses it"));
    *result.get().expect("the routine was called")
}

fn process_exit(kernel: &Arc<Kernel>) -> Duration {
    let routine = process_notify(kernel);
    let process = running(kernel);
    let took = kernel.enter(&process, || {
        // SAFETY: as the kernel calls it for an exit.
        time(|| unsafe { routine(process.as_ptr(), process.id as usize, ptr::null_mut()) })
    });
    kernel.forget_process(&process);
    took
}

fn thread_start(kernel: &Arc<Kernel>) -> Duration {
    thread(kernel, 1)
}

fn thread_exit(kernel: &Arc<Kernel>) -> Duration {
    thread(kernel, 0)
}

fn thread(kernel: &Arc<Kernel>, create: u8) -> Duration {
    let routine = thread_notify(kernel);
    let process = running(kernel);
    let took = kernel.enter(&process, || {
        let thread = kernel.start_thread(&process, NewThread::default());
        let call = || {
            // SAFETY: as the kernel calls it; the thread is on its list.
            time(|| unsafe { routine(process.id as usize, thread.id as usize, create) })
        };
        match create {
            0 => kernel.enter_thread(&thread, call),
            _ => call(),
        }
    });
    kernel.forget_process(&process);
    took
}

fn image_load(kernel: &Arc<Kernel>) -> Duration {
    let routine = image_notify(kernel);
    let process = running(kernel);
    let mut name: Vec<u16> = r"\Device\HarddiskVolume3\Windows\System32\kernel32.dll"
        .encode_utf16()
        .collect();
    let bytes = (name.len() * 2) as u16;
    let name = UNICODE_STRING {
        Length: bytes,
        MaximumLength: bytes,
        Buffer: name.as_mut_ptr(),
    };
    let info = IMAGE_INFO {
        Anonymous: IMAGE_INFO_0 { Properties: 0 },
        ImageBase: ptr::without_provenance_mut(0x7FF8_9000_0000),
        ImageSelector: 0,
        ImageSize: 0xC_2000,
        ImageSectionNumber: 0,
    };
    let took = kernel.enter(&process, || {
        // SAFETY: as the kernel calls it, without the extended information; all of it lives.
        time(|| unsafe { routine(&raw const name, process.id as usize, &raw const info) })
    });
    kernel.forget_process(&process);
    took
}

fn handle_open(kernel: &Arc<Kernel>) -> Duration {
    opens(kernel, |open| time(open))
}

/// Gives `body` what asks and tells the driver of an open, and makes no handle.
pub(crate) fn opens<R>(kernel: &Arc<Kernel>, body: impl FnOnce(&dyn Fn()) -> R) -> R {
    let actor = running(kernel);
    let target = running(kernel);
    let result = kernel.enter(&actor, || {
        body(&|| {
            kernel.ob.rehearse(&target, VM_READ);
        })
    });
    kernel.forget_process(&actor);
    kernel.forget_process(&target);
    result
}
