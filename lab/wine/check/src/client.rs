//! A program that runs while the test goes on.

use crate::{PATIENCE, Wine, text};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, ChildStdout, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};

/// One, with what it writes.
#[derive(Debug)]
pub struct Client {
    child: Child,
    lines: Receiver<String>,
    errors: Option<JoinHandle<String>>,
}

/// What came of one.
#[derive(Debug)]
pub struct Ended {
    /// How it ended.
    pub status: ExitStatus,
    /// Lines of standard output that nobody has waited for.
    pub lines: Vec<String>,
    /// Standard error.
    pub errors: String,
}

impl Wine {
    /// Starts `ntwatch.exe` with these words.
    ///
    /// # Panics
    /// When Wine cannot be started.
    #[must_use]
    pub fn start(&self, words: &[&str]) -> Client {
        let mut command = self.words(&[&[&*self.exe], words].concat());
        command.stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("Wine starts");
        let (sender, lines) = channel();
        let output = child.stdout.take().expect("a pipe");
        thread::spawn(move || send_lines(output, &sender));
        let errors = child.stderr.take().expect("a pipe");
        Client {
            child,
            lines,
            errors: Some(thread::spawn(move || read(errors))),
        }
    }
}

fn send_lines(output: ChildStdout, lines: &Sender<String>) {
    for line in BufReader::new(output).split(b'\n') {
        let line = line.expect("a pipe can be read");
        // Who has heard enough has gone.
        if lines.send(text(&line).trim_end().to_owned()).is_err() {
            return;
        }
    }
}

fn read(mut errors: ChildStderr) -> String {
    let mut bytes = Vec::new();
    errors.read_to_end(&mut bytes).expect("a pipe can be read");
    text(&bytes).to_owned()
}

impl Client {
    /// Waits for a line that has this in it; those before it are forgotten.
    ///
    /// # Panics
    /// When it ends without one, or none comes in a minute.
    pub fn line(&mut self, wanted: &str) -> String {
        let line = self.line_that(|line| line.contains(wanted));
        line.unwrap_or_else(|| panic!("no line has {wanted:?}: {}", self.errors()))
    }

    /// Waits for such a line; none comes when the program has ended.
    ///
    /// # Panics
    /// When none comes in a minute.
    pub fn line_that(&self, mut is_it: impl FnMut(&str) -> bool) -> Option<String> {
        loop {
            let line = match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => line,
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => panic!("nothing came in {PATIENCE:?}"),
            };
            if is_it(&line) {
                return Some(line);
            }
        }
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it writes on and on, or for a minute nothing.
    #[must_use]
    pub fn end(mut self) -> Ended {
        let mut lines = Vec::new();
        while let Some(line) = self.line_that(|_| true) {
            lines.push(line);
        }
        let status = self.child.wait().expect("a child of ours");
        let errors = self.errors();
        Ended {
            status,
            lines,
            errors,
        }
    }

    /// What it has said on standard error when it has ended.
    fn errors(&mut self) -> String {
        let errors = self.errors.take().expect("it is taken once");
        errors.join().expect("it panics for what is no UTF-8")
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // One that a failed test leaves; else it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
