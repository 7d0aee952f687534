//! What people see of events and recordings, on terminals of two sizes.
#![cfg(target_os = "linux")]

mod common;

use common::machine::{AtEnd, Machine};
use common::program::names;
use common::records::{Start, exit, start, utf16};
use common::serve::Server;
use common::terminal::{NOWHERE, SIZES, Terminal, line_with, see};
use ntwatch_client::protocol::record::FIRST_SEQ;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use unicode_width::UnicodeWidthStr;

/// A process with a long command line starts and ends.
fn machine() -> Machine {
    let command_line = utf16(&"x".repeat(200));
    let process = Start {
        command_line: Some(&command_line),
        ..Start::default()
    };
    Machine::new([start(0, &process), exit(1, process.pid, process.key)])
}

fn server() -> Server {
    Server::start(machine())
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
        let (code, screen) = see(size, &server().device(), &["watch"]);
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
        let (code, screen) = see(size, &server().device(), &words);
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
        let (code, recorded) = see(size, &server().device(), &["record", name]);
        assert_eq!(code, 0, "{recorded:#?}");
        assert!(
            recorded[0].starts_with("ntwatch: 2 events in "),
            "{recorded:#?}"
        );
        assert_accounts(&recorded);

        let copy = dir.path().join("copy.csv");
        let (code, converted) = see(size, NOWHERE, &["convert", name, copy.to_str().unwrap()]);
        assert_eq!(code, 0, "{converted:#?}");
        assert!(converted.iter().all(String::is_empty), "{converted:#?}");

        let (code, shown) = see(size, NOWHERE, &["show", name]);
        assert_eq!(code, 0, "{shown:#?}");
        assert_eq!(line_with(&shown, " start ").width(), size.0, "{shown:#?}");
    }
}

#[test]
fn ctrl_c_ends_a_recording_with_its_account_and_a_whole_file() {
    for size in SIZES {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("day.parquet");
        let server = Server::start(Machine {
            at_end: AtEnd::Pend,
            ..machine()
        });
        let name = file.to_str().unwrap();
        let terminal = Terminal::start(size, &server.device(), &["record", name]);
        let shown = terminal.shows("2 events, ");
        assert_eq!(
            shown.iter().filter(|line| !line.is_empty()).count(),
            1,
            "{shown:#?}"
        );
        terminal.ctrl_c();
        let (code, screen) = terminal.end();
        assert_eq!(code, 0, "{screen:#?}");
        line_with(&screen, "ntwatch: 2 events in ");
        assert_accounts(&screen);
        assert_eq!(names(dir.path()), ["day.parquet"]);
        let (code, shown) = see(size, NOWHERE, &["show", name]);
        assert_eq!(code, 0, "{shown:#?}");
        line_with(&shown, " exit ");
    }
}

/// So many exits.
fn exits(count: u64) -> String {
    let process = r#""process":{"pid":8,"key":"0x3"},"exit_status":0"#;
    let time = "2026-11-22T03:03:27.0000000Z";
    let exit =
        |seq| format!(r#"{{"seq":{seq},"time":"{time}","event":"process_exit",{process}}}"#) + "\n";
    (FIRST_SEQ..FIRST_SEQ + count).map(exit).collect()
}

fn pipe(dir: &Path) -> PathBuf {
    let path = dir.join("pipe");
    mknodat(CWD, &path, FileType::Fifo, Mode::RWXU, 0).unwrap();
    path
}

#[test]
fn how_far_a_conversion_has_come_is_one_line() {
    for size in SIZES {
        let dir = tempfile::tempdir().unwrap();
        let (file, pipe) = (dir.path().join("day.jsonl"), pipe(dir.path()));
        fs::write(&file, exits(10_000)).unwrap();
        let words = [file.to_str().unwrap(), pipe.to_str().unwrap()];
        let words = [&["convert", "--format", "csv"], &words[..]].concat();
        let terminal = Terminal::start(size, NOWHERE, &words);
        // Nobody reads it yet, and it takes less than there is to write.
        let reader = File::open(&pipe).unwrap();
        let shown = terminal.shows("% of ");
        let progress = line_with(&shown, "% of ");
        assert_eq!(
            shown.iter().filter(|line| !line.is_empty()).count(),
            1,
            "{shown:#?}"
        );
        assert!(
            progress.contains(" left: ") && progress.ends_with(" KiB"),
            "{shown:#?}"
        );
        let read = std::io::copy(&mut &reader, &mut std::io::sink());
        assert!(read.unwrap() > 0);
        let (code, screen) = terminal.end();
        assert_eq!(code, 0, "{screen:#?}");
        assert!(screen.iter().all(String::is_empty), "{screen:#?}");
    }
}

/// A conversion that has read a file, and waits for a pipe that nothing comes from.
fn waiting_conversion(size: (usize, usize), dir: &Path, target: &str) -> (Terminal, File) {
    let (file, pipe) = (dir.join("day.jsonl"), pipe(dir));
    fs::write(&file, exits(1024)).unwrap();
    let target = dir.join(target);
    let words = [&file, &pipe, &target].map(|path| path.to_str().unwrap());
    let words = [&["convert", "--from", "jsonl"], &words[..]].concat();
    let terminal = Terminal::start(size, NOWHERE, &words);
    terminal.shows("1,024 events");
    // There is a writer once there is a reader.
    let writer = File::options().write(true).open(pipe);
    (terminal, writer.unwrap())
}

#[test]
fn ctrl_c_leaves_nothing_of_a_conversion() {
    for size in SIZES {
        let dir = tempfile::tempdir().unwrap();
        let (terminal, mut writer) = waiting_conversion(size, dir.path(), "day.parquet");
        terminal.ctrl_c();
        terminal.shows("^C");
        // What it waits for comes, until it has heard.
        terminal.wait(|| writer.write_all(exits(1).as_bytes()).err());
        let (code, screen) = terminal.end();
        assert_eq!(code, 1, "{screen:#?}");
        line_with(&screen, "ntwatch: interrupted; ");
        assert_eq!(names(dir.path()), ["day.jsonl", "pipe"]);
    }
}

#[test]
fn a_second_ctrl_c_ends_what_waits_and_leaves_a_file_that_grows() {
    for size in SIZES {
        let dir = tempfile::tempdir().unwrap();
        let (terminal, _writer) = waiting_conversion(size, dir.path(), "day.csv");
        terminal.ctrl_c_again_and_again();
        let (code, screen) = terminal.end();
        assert_eq!(code, 130, "{screen:#?}");
        assert_eq!(names(dir.path()), ["day.csv.growing", "day.jsonl", "pipe"]);
    }
}

#[test]
fn what_is_wrong_in_a_condition_is_pointed_at() {
    for size in SIZES {
        let condition = "event == lost or process.imgae ~ cmd.exe";
        let (code, wrong) = see(size, NOWHERE, &["watch", "--where", condition]);
        assert_eq!(code, 2, "{wrong:#?}");
        let at = wrong.iter().position(|line| line.trim() == condition);
        let at = at.unwrap_or_else(|| panic!("{wrong:#?}"));
        let place = wrong[at].find("process.imgae").unwrap();
        assert_eq!(
            wrong[at + 1],
            format!("{:place$}^^^^^^^^^^^^^", ""),
            "{wrong:#?}"
        );
    }
}
