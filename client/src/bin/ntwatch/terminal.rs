//! Consoles of Windows, which are terminals if they are told to be.

use std::io;
#[cfg(windows)]
use std::os::windows::io::AsRawHandle;
#[cfg(windows)]
use windows_sys::Win32::System::Console::{
    ENABLE_VIRTUAL_TERMINAL_PROCESSING, GetConsoleMode, SetConsoleMode,
};

/// Has standard output treated as terminals treat it: sequences for colours are understood, and by the
/// console's published source a line as wide as the window leaves no empty one behind it. Is it so?
pub(crate) fn begin_stdout() -> bool {
    begin(&io::stdout())
}

/// Has standard error treated so.
pub(crate) fn begin_stderr() -> bool {
    begin(&io::stderr())
}

#[cfg(windows)]
fn begin(stream: &impl AsRawHandle) -> bool {
    let mut mode = 0;
    // SAFETY: `mode` has room for it. A handle of something else's is refused.
    if unsafe { GetConsoleMode(stream.as_raw_handle(), &mut mode) } == 0 {
        // If it is a terminal, it is somebody else's.
        return true;
    }
    let mode = mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING;
    // SAFETY: takes a number.
    unsafe { SetConsoleMode(stream.as_raw_handle(), mode) != 0 }
}

/// Terminals elsewhere are born so.
#[cfg(unix)]
fn begin<S>(_: &S) -> bool {
    true
}
