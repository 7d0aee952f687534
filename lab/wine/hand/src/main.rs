//! `hand.exe`: does to programs of Windows what their users do, and nobody on Linux can do for them.
//!
//! ```text
//! hand run PROGRAM WORD…                  passes its words on
//! hand press KEYS FILE PROGRAM WORD…      starts it in a console of its own, waits for FILE, does there
//!                                         what KEYS says (ctrl-c, ctrl-c-again, ctrl-break or close),
//!                                         and removes FILE
//! hand unelevated PROGRAM WORD…           as somebody who is no administrator there
//! hand hold COUNT DEVICE PROGRAM WORD…    while the device is open so many times
//! hand cancel DEVICE                      reads events, and has each read end in another way
//! hand strange DEVICE                     asks for what a client of another protocol might
//! hand linger FILE                        is the service ntwatch, and stops when FILE is gone
//! hand family                             starts a program, and says which both are
//! hand end CODE                           ends so after a moment
//! ```
//!
//! It ends as a program did that it was given. `{d83d}` in a word of the program's is a unit of UTF-16,
//! so that a command line can be what no text is.

mod console;
mod device;
mod program;
mod request;
mod service;
mod unelevated;

use std::time::Duration;
use std::{env, io, process, thread};
use windows_sys::core::BOOL;

fn main() -> io::Result<()> {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let code = match words[..] {
        ["run", program, ref words @ ..] => program::command(program, words).status()?.code(),
        ["press", keys, file, program, ref words @ ..] => {
            console::press(keys, file, program::command(program, words))?
        }
        ["unelevated", ref words @ ..] => Some(unelevated::run(words)?),
        ["hold", count, device, program, ref words @ ..] => {
            let count = count.parse().map_err(io::Error::other)?;
            let _held = device::hold(count, device)?;
            program::command(program, words).status()?.code()
        }
        ["cancel", device] => device::cancel(device).map(|()| Some(0))?,
        ["strange", device] => device::strange(device).map(|()| Some(0))?,
        ["linger", file] => service::linger(file).map(|()| Some(0))?,
        ["family"] => device::family().map(|()| Some(0))?,
        ["end", code] => {
            // Who looks every two milliseconds is to see it, on a machine that is busy, too.
            thread::sleep(Duration::from_millis(300));
            code.parse().ok()
        }
        _ => return Err(io::Error::other("the words are in src/main.rs")),
    };
    process::exit(code.unwrap_or(1))
}

fn succeeded(done: BOOL) -> io::Result<()> {
    match done {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
