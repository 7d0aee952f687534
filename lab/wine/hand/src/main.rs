//! `hand.exe`: does to programs of Windows what their users do, and nobody on Linux can do for them.
//!
//! ```text
//! hand run PROGRAM WORD…                  passes its words on
//! hand press KEYS FILE PROGRAM WORD…      starts it in a console of its own, waits for FILE, does there
//!                                         what KEYS says (ctrl-c, ctrl-c-again, ctrl-break or close),
//!                                         and removes FILE
//! hand unelevated PROGRAM WORD…           as somebody who is no administrator there
//! ```
//!
//! It ends as the program did. `{d83d}` in a word of the program's is a unit of UTF-16, so that a
//! command line can be what no text is.

mod console;
mod program;
mod unelevated;

use std::{env, io, process};
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
