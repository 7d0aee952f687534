//! Standard output: buffered, with colours and a width if it is a terminal.

use crate::failure::Failure;
use crate::terminal;
use anstream::{AutoStream, ColorChoice};
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
#[cfg(unix)]
use std::os::fd::AsFd;
#[cfg(windows)]
use std::os::windows::io::AsHandle;
use std::process::ExitCode;

/// Bytes that are gathered before they are written.
const BUFFER: usize = 64 * 1024;

/// Standard output of a command that prints for long.
pub(crate) struct Output {
    to: BufWriter<Stdout>,
    /// May there be colours? (`NO_COLOR` and its like are respected.)
    pub(crate) colours: bool,
    /// Columns of the terminal, if it is one.
    pub(crate) width: Option<usize>,
}

impl Output {
    pub(crate) fn new() -> Self {
        let stdout = io::stdout();
        let is_ready = terminal::begin_stdout();
        let wanted = AutoStream::choice(&stdout) != ColorChoice::Never;
        let width = stdout
            .is_terminal()
            .then(terminal_size::terminal_size)
            .flatten()
            .map(|(width, _)| usize::from(width.0));
        Self {
            // N.B. `AutoStream`'s own stream for consoles that know no sequences loses text.
            to: BufWriter::with_capacity(BUFFER, stdout),
            colours: wanted && is_ready,
            width,
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Does standard output go to a file?
pub(crate) fn is_file() -> bool {
    #[cfg(unix)]
    let out = io::stdout().as_fd().try_clone_to_owned();
    #[cfg(windows)]
    let out = io::stdout().as_handle().try_clone_to_owned();
    let data = out.and_then(|out| File::from(out).metadata());
    data.is_ok_and(|data| data.is_file())
}

/// Prints all that a command has to say.
pub(crate) fn print(text: impl AsRef<[u8]>) -> Result<ExitCode, Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_ref())?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
