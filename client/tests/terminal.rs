//! `ntwatch watch` on a terminal, which `script` (of Debian's bsdutils) plays.
#![cfg(target_os = "linux")]

mod common;

use common::machine::Machine;
use common::records::{Start, handle_open, image_load, start, thread_start, utf16};
use common::serve::Server;
use std::process::{Command, Stdio};
use unicode_width::UnicodeWidthStr;

/// What a terminal of 100 columns gets from `ntwatch watch` with this option.
fn screen(option: &str) -> String {
    let command_line = utf16(&"x".repeat(200));
    let process = Start {
        command_line: Some(&command_line),
        ..Start::default()
    };
    let (new, system) = ((process.pid, process.key), (4, 1));
    let server = Server::start(Machine::new([
        start(0, &process),
        image_load(1, Some(new), 0x7ff8_0000_0000, process.path),
        thread_start(2, new, 8, system, 0x7ff8_0000_17b0),
        handle_open(3, new, system, None, |_| {}),
    ]));
    let program = env!("CARGO_BIN_EXE_ntwatch");
    let device = server.device();
    let watch =
        format!("stty cols 100 rows 40 && {program} --device {device} watch {option} 2>/dev/null");
    let output = Command::new("script")
        .args(["--quiet", "--return", "--command", &watch, "/dev/null"])
        .env("TERM", "xterm")
        .env("SHELL", "/bin/sh")
        .env_remove("NO_COLOR")
        .env_remove("CLICOLOR")
        .env_remove("CLICOLOR_FORCE")
        .stdin(Stdio::null())
        .output()
        .expect("`script` is there");
    let screen = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{screen}");
    screen
}

/// What is seen of a screen: without colours.
fn seen(screen: &str) -> String {
    let mut parts = screen.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |seen, part| {
        let (_colour, text) = part.split_once('m').unwrap();
        seen + text
    })
}

#[test]
fn a_terminal_gets_colours_and_lines_that_fit() {
    let screen = screen("");
    for word in ["start", "image", "thread", "open"] {
        let coloured = format!("m{word:<6}\u{1b}[0m");
        assert!(screen.contains(&coloured), "{word} in:\n{screen}");
    }
    let seen = seen(&screen);
    assert!(seen.lines().all(|line| line.width() <= 100), "{seen}");
    let start = seen.lines().find(|line| line.contains(" start ")).unwrap();
    assert_eq!(start.width(), 100, "{start}");
    assert!(start.ends_with("xxx…"), "{start}");
}

#[test]
fn a_terminal_gets_whole_lines_if_asked_to() {
    let seen = seen(&screen("--wide"));
    assert!(seen.contains(&"x".repeat(200)), "{seen}");
}
