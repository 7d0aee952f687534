//! What a console tells the programs in it.

use crate::succeeded;
use std::ffi::c_void;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::os::windows::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;
use std::{fs, io, ptr, thread};
use windows_sys::Win32::System::Console::{
    AttachConsole, CTRL_BREAK_EVENT, CTRL_C_EVENT, CTRL_CLOSE_EVENT, FreeConsole,
    GenerateConsoleCtrlEvent, SetConsoleCtrlHandler,
};
use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleW, GetProcAddress};
use windows_sys::Win32::System::Threading::{
    CREATE_NO_WINDOW, CreateRemoteThread, LPTHREAD_START_ROUTINE, WaitForSingleObject,
};
use windows_sys::core::{BOOL, s, w};

/// How long Windows lets a program take that is told that its console closes.
const GRACE: Duration = Duration::from_secs(5);
/// Between two looks at something.
const SOON: Duration = Duration::from_millis(10);
/// Between two presses: fingers are no faster, and two at once are one to Wine.
const APART: Duration = Duration::from_millis(100);

/// Starts a program in a console of its own, does `what` there when `file` appears, and waits for its
/// end. `file` is gone once it was done. Returns the program's exit code.
pub(crate) fn press(what: &str, file: &str, mut program: Command) -> io::Result<Option<i32>> {
    let mut child = program.creation_flags(CREATE_NO_WINDOW).spawn()?;
    while !Path::new(file).exists() {
        if let Some(status) = child.try_wait()? {
            return Err(io::Error::other(format!("{status} before {file} came")));
        }
        thread::sleep(SOON);
    }
    match what {
        "close" => {
            let handlers = handle(&child, CTRL_CLOSE_EVENT)?;
            fs::remove_file(file)?;
            // Windows ends a program when its handlers have returned, or have taken too long.
            // SAFETY: the handle is open.
            unsafe { WaitForSingleObject(handlers.as_raw_handle(), GRACE.as_millis() as u32) };
            // It may have ended by itself.
            child.kill()?;
        }
        "ctrl-break" => {
            handle(&child, CTRL_BREAK_EVENT)?;
            fs::remove_file(file)?;
        }
        _ => {
            join(&child)?;
            ctrl_c()?;
            fs::remove_file(file)?;
            while what == "ctrl-c-again" && child.try_wait()?.is_none() {
                thread::sleep(APART);
                ctrl_c()?;
            }
        }
    }
    Ok(child.wait()?.code())
}

/// Goes where the program is, unmoved by what is told there.
fn join(child: &Child) -> io::Result<()> {
    // SAFETY: takes nothing. There may be none to leave.
    unsafe { FreeConsole() };
    // SAFETY: takes a number.
    succeeded(unsafe { AttachConsole(child.id()) })?;
    // SAFETY: `ignore` is there as long as this program.
    succeeded(unsafe { SetConsoleCtrlHandler(Some(ignore), 1) })
}

/// Tells all programs in this console.
fn ctrl_c() -> io::Result<()> {
    // SAFETY: takes numbers.
    succeeded(unsafe { GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0) })
}

extern "system" fn ignore(_: u32) -> BOOL {
    1
}

/// Has a program handle an event, as Windows does: `CtrlRoutine` runs its handlers, in a thread of the
/// program's, which is returned. No function has a console closed that has no window, nor does Wine
/// tell of it; and its `GenerateConsoleCtrlEvent` knows Ctrl+C alone.
fn handle(child: &Child, event: u32) -> io::Result<OwnedHandle> {
    // SAFETY: the name ends with a zero.
    let kernel = unsafe { GetModuleHandleW(w!("kernelbase.dll")) };
    // SAFETY: a module that each program has, and a name that ends with a zero.
    let routine = unsafe { GetProcAddress(kernel, s!("CtrlRoutine")) };
    let routine = routine.ok_or_else(io::Error::last_os_error)?;
    // SAFETY: it has the signature of a thread's routine.
    let routine: LPTHREAD_START_ROUTINE = Some(unsafe {
        std::mem::transmute::<
            unsafe extern "system" fn() -> isize,
            unsafe extern "system" fn(*mut c_void) -> u32,
        >(routine)
    });
    let event = ptr::without_provenance(event as usize);
    // SAFETY: the module lies at the same place in each program; its argument is the event's number.
    let thread = unsafe {
        CreateRemoteThread(
            child.as_raw_handle(),
            ptr::null(),
            0,
            routine,
            event,
            0,
            ptr::null_mut(),
        )
    };
    if thread.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it was made above, and is nobody else's.
    Ok(unsafe { OwnedHandle::from_raw_handle(thread) })
}
