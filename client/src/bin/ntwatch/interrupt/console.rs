//! What a console of Windows tells the programs in it.

use super::Event;
use std::sync::OnceLock;
use std::{io, thread};
use windows_sys::Win32::System::Console::{
    CTRL_BREAK_EVENT, CTRL_C_EVENT, CTRL_LOGOFF_EVENT, SetConsoleCtrlHandler,
};
use windows_sys::Win32::System::RemoteDesktop::ProcessIdToSessionId;
use windows_sys::Win32::System::Threading::GetCurrentProcessId;
use windows_sys::core::BOOL;

type Tell = Box<dyn Fn(Event) + Send + Sync>;

static TELL: OnceLock<Tell> = OnceLock::new();

/// Calls `tell` with each Ctrl+C and Ctrl+Break, and when the console is closed. Can be had once
/// (page "SetConsoleCtrlHandler").
pub(super) fn on_event(tell: impl Fn(Event) + Send + Sync + 'static) -> io::Result<()> {
    if TELL.set(Box::new(tell)).is_err() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    // SAFETY: the routine is there as long as the program.
    match unsafe { SetConsoleCtrlHandler(Some(handler), 1) } {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Windows calls this on a thread of its own (page "HandlerRoutine").
extern "system" fn handler(event: u32) -> BOOL {
    let Some(tell) = TELL.get() else { return 0 };
    match event {
        CTRL_C_EVENT | CTRL_BREAK_EVENT => {
            tell(Event::Interrupted);
            1
        }
        // Anybody's logoff, of which services are told, and go on.
        CTRL_LOGOFF_EVENT if is_of_a_service() => 0,
        _ => {
            tell(Event::Closed);
            // The program is ended when this returns, or some seconds after it was called: time for
            // the file of a recording to be ended.
            loop {
                thread::park();
            }
        }
    }
}

/// Services and what they start are in session 0 (page "Remote Desktop Services Sessions").
fn is_of_a_service() -> bool {
    let mut session = 0;
    // SAFETY: takes nothing.
    let me = unsafe { GetCurrentProcessId() };
    // SAFETY: `session` is ours to write.
    unsafe { ProcessIdToSessionId(me, &raw mut session) != 0 && session == 0 }
}
