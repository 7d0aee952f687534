//! The program `ntwatch`, to run.

use crate::common::machine::Machine;
use crate::common::serve::Server;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// `ntwatch` with these arguments, at this server or at none.
pub(crate) fn ntwatch(server: Option<&Server>, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ntwatch"));
    if let Some(server) = server {
        command.args(["--device", &server.device()]);
    }
    command
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

pub(crate) fn run(machine: Machine, args: &[&str]) -> Output {
    let server = Server::start(machine);
    ntwatch(Some(&server), args).output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Checks an exit code, and that each word is said on standard error and none on standard output.
pub(crate) fn assert_fails(output: &Output, code: i32, words: &[&str]) {
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert_eq!(text(&output.stdout), "", "{said}");
    for word in words {
        assert!(said.contains(word), "not a word of {word:?} in:\n{said}");
    }
}

/// Of the files in a folder, sorted.
pub(crate) fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap().map(Result::unwrap);
    let mut names: Vec<_> = entries
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
