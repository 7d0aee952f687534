//! What people see on terminals of two sizes, which tmux plays.
#![cfg(target_os = "linux")]

mod common;

use common::machine::Machine;
use common::records::{Start, exit, start, utf16};
use common::serve::Server;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use unicode_width::UnicodeWidthStr;

/// Columns and rows.
const SIZES: [(usize, usize); 2] = [(80, 24), (140, 40)];
/// How long a screen may take before it counts as hung. No test measures time by it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process with a long command line starts and ends.
fn server() -> Server {
    let command_line = utf16(&"x".repeat(200));
    let process = Start {
        command_line: Some(&command_line),
        ..Start::default()
    };
    Server::start(Machine::new([
        start(0, &process),
        exit(1, process.pid, process.key),
    ]))
}

/// The exit code of `ntwatch` with these words, and the lines of the screen when it has ended.
fn screen((columns, rows): (usize, usize), device: &str, words: &[&str]) -> (i32, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let (socket, code) = (dir.path().join("tmux"), dir.path().join("code"));
    let quoted = |word: &&str| format!("'{}'", word.replace('\'', r"'\''"));
    let words: Vec<_> = words.iter().map(quoted).collect();
    let command = format!(
        "'{program}' --device '{device}' {words}; echo $? > '{code}.new'; \
         mv '{code}.new' '{code}'; exec sleep 1000",
        program = env!("CARGO_BIN_EXE_ntwatch"),
        words = words.join(" "),
        code = code.display(),
    );
    let (columns, rows) = (columns.to_string(), rows.to_string());
    let no_status = ["set-option", "-g", "status", "off", ";"];
    let session = ["new-session", "-d", "-x", &columns, "-y", &rows, &command];
    tmux(
        &socket,
        &[&["start-server", ";"], &no_status[..], &session].concat(),
    );
    let began = Instant::now();
    let code = loop {
        let code = std::fs::read_to_string(&code).unwrap_or_default();
        if let Ok(code) = code.trim().parse() {
            break code;
        }
        assert!(began.elapsed() < PATIENCE, "{command} hangs");
        std::thread::sleep(Duration::from_millis(10));
    };
    let screen = tmux(&socket, &["capture-pane", "-p"]);
    tmux(&socket, &["kill-server"]);
    let text = String::from_utf8(screen.stdout).unwrap();
    (code, text.lines().map(str::to_owned).collect())
}

fn tmux(socket: &Path, words: &[&str]) -> Output {
    let mut tmux = Command::new("tmux");
    tmux.args(["-u", "-f", "/dev/null", "-S"]).arg(socket);
    let output = tmux.args(words).env_remove("TMUX").output();
    let output = output.expect("`tmux` is there");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "tmux {words:?}: {said}");
    output
}

fn line_with<'s>(screen: &'s [String], word: &str) -> &'s str {
    let line = screen.iter().find(|line| line.contains(word));
    line.unwrap_or_else(|| panic!("no {word:?} in:\n{}", screen.join("\n")))
}

/// Each row of the account has all of its cells.
fn assert_accounts(screen: &[String]) {
    for kind in ["process_start", "thread_exit", "handle_open"] {
        let mut rows = screen.iter().filter(|line| line.starts_with(kind));
        let row = rows.next_back().unwrap_or_else(|| panic!("{screen:#?}"));
        assert_eq!(row.split_whitespace().count(), 9, "{}", screen.join("\n"));
    }
}

#[test]
fn events_fill_a_line_each_and_the_account_fits() {
    for size in SIZES {
        let (code, screen) = screen(size, &server().device(), &["watch"]);
        assert_eq!(code, 0, "{screen:#?}");
        assert!(screen[1].starts_with("TIME "), "{screen:#?}");
        let start = line_with(&screen, " start ");
        assert_eq!(start.width(), size.0, "{screen:#?}");
        assert!(start.ends_with("xxx…"), "{screen:#?}");
        assert!(
            screen.iter().any(|line| line.contains(" exit ")),
            "{screen:#?}"
        );
        assert_accounts(&screen);
    }
}

#[test]
fn chosen_facts_are_columns_and_a_condition_is_told_of() {
    let words = [
        "watch",
        "--fields",
        "event,process.pid,process.command_line",
    ];
    let condition = ["--where", "event == process_start"];
    for size in SIZES {
        let words = [&words[..], &condition].concat();
        let (code, screen) = screen(size, &server().device(), &words);
        assert_eq!(code, 0, "{screen:#?}");
        let head = ["EVENT", "PROCESS.PID", "PROCESS.COMMAND_LINE"];
        assert!(screen[0].split_whitespace().eq(head), "{screen:#?}");
        let start = line_with(&screen, "process_start  ");
        assert_eq!(start.width(), size.0, "{screen:#?}");
        assert_eq!(
            line_with(&screen, "the driver sent: "),
            "the driver sent: process_start"
        );
        assert!(
            !screen
                .iter()
                .any(|line| line.starts_with("process_exit  4711")),
            "{screen:#?}"
        );
        assert_accounts(&screen);
    }
}

#[test]
fn a_recording_leaves_its_account_and_no_trace_of_progress() {
    for size in SIZES {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("recording.jsonl");
        let name = file.to_str().unwrap();
        let (code, recorded) = screen(size, &server().device(), &["record", name]);
        assert_eq!(code, 0, "{recorded:#?}");
        assert!(
            recorded[0].starts_with("ntwatch: 2 events in "),
            "{recorded:#?}"
        );
        assert_accounts(&recorded);

        let nowhere = "unix:/nonexistent";
        let copy = dir.path().join("copy.csv");
        let (code, converted) = screen(size, nowhere, &["convert", name, copy.to_str().unwrap()]);
        assert_eq!(code, 0, "{converted:#?}");
        assert!(converted.iter().all(String::is_empty), "{converted:#?}");

        let (code, shown) = screen(size, nowhere, &["show", name]);
        assert_eq!(code, 0, "{shown:#?}");
        assert_eq!(line_with(&shown, " start ").width(), size.0, "{shown:#?}");
    }
}

#[test]
fn what_is_wrong_is_pointed_at_and_a_driver_that_is_not_there_is_named() {
    for size in SIZES {
        let nowhere = "unix:/nonexistent/n.sock";
        let condition = "event == lost or process.imgae ~ cmd.exe";
        let (code, wrong) = screen(size, nowhere, &["watch", "--where", condition]);
        assert_eq!(code, 2, "{wrong:#?}");
        let at = wrong.iter().position(|line| line.trim() == condition);
        let at = at.unwrap_or_else(|| panic!("{wrong:#?}"));
        let place = wrong[at].find("process.imgae").unwrap();
        assert_eq!(
            wrong[at + 1],
            format!("{:place$}^^^^^^^^^^^^^", ""),
            "{wrong:#?}"
        );

        let (code, none) = screen(size, nowhere, &["watch"]);
        assert_eq!(code, 3, "{none:#?}");
        assert!(none[0].starts_with("ntwatch: cannot open "), "{none:#?}");
    }
}
