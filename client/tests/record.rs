//! `ntwatch record`, `show` and `convert`.
#![cfg(unix)]

mod common;

use common::machine::{AtEnd, Machine};
use common::program::{assert_fails, ntwatch, run, text};
use common::records::{Start, exit, lost, start};
use common::serve::Server;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use tempfile::TempDir;

const ALL: [&str; 2] = ["jsonl", "csv"];

fn start_and_exit() -> Machine {
    let Start { pid, key, .. } = Start::default();
    Machine::new([start(0, &Start::default()), exit(1, pid, key)])
}

/// A folder with a recording of a start and an exit.
fn recorded(extension: &str) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("day").with_extension(extension);
    let output = run(start_and_exit(), &["record", file.to_str().unwrap()]);
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(text(&output.stdout), "");
    assert!(said.starts_with("ntwatch: 2 events in "), "{said}");
    assert!(said.contains("The account balances"), "{said}");
    (dir, file)
}

/// `ntwatch` with these words and this file.
fn on_file(words: &[&str], file: &Path) -> Output {
    let mut command = ntwatch(None, words);
    command.arg(file).output().unwrap()
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap().map(Result::unwrap);
    let mut names: Vec<_> = entries
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn what_was_recorded_is_shown_as_it_would_have_been() {
    let live = run(start_and_exit(), &["watch", "--format", "jsonl"]);
    for extension in ALL {
        let (dir, file) = recorded(extension);
        assert_eq!(names(dir.path()), [format!("day.{extension}")]);
        let shown = on_file(&["show", "--format", "jsonl"], &file);
        assert_eq!(text(&shown.stdout), text(&live.stdout), "{extension}");
        assert_eq!(text(&shown.stderr), "");
    }
}

#[test]
fn show_takes_the_words_of_watch() {
    let (_dir, file) = recorded("jsonl");
    let lines = |words: &[&str]| {
        let words = [&["show"], words].concat();
        let output = on_file(&words, &file);
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout).lines().count()
    };
    assert_eq!(lines(&[]), 5, "two lines are the session's");
    assert_eq!(lines(&["--events", "process_exit"]), 3);
    assert_eq!(lines(&["--format", "jsonl", "--count", "1"]), 3);
    assert_eq!(
        lines(&["--format", "csv", "--fields", "time,process.pid"]),
        5
    );
}

#[test]
fn what_was_converted_to_and_fro_is_the_same_file() {
    let (dir, file) = recorded("jsonl");
    let original = fs::read(&file).unwrap();
    let mut last = file;
    for extension in ALL.into_iter().rev() {
        let next = dir.path().join("again").with_extension(extension);
        let output = ntwatch(None, &["convert"])
            .arg(&last)
            .arg(&next)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert_eq!(text(&output.stderr), "", "in a pipe it is quiet");
        last = next;
    }
    assert_eq!(fs::read(&last).unwrap(), original);
    let through = ntwatch(None, &["convert", "-", "-"])
        .stdin(fs::File::open(&last).unwrap())
        .output()
        .unwrap();
    assert_eq!(through.stdout, original);
}

#[test]
fn a_tail_that_was_cut_off_is_said_and_no_failure() {
    let (_dir, file) = recorded("jsonl");
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() - 9]).unwrap();
    let shown = on_file(&["show", "--format", "jsonl"], &file);
    assert!(shown.status.success());
    assert_eq!(text(&shown.stdout).lines().count(), 3);
    let said = text(&shown.stderr);
    assert!(said.contains("day.jsonl is cut off: of line 4"), "{said}");
}

#[test]
fn nothing_is_written_over_unless_it_is_forced() {
    let (dir, file) = recorded("jsonl");
    let copy = dir.path().join("copy.jsonl");
    let convert = |words: &[&str]| {
        let words = [&["convert"], words].concat();
        ntwatch(None, &words)
            .arg(&file)
            .arg(&copy)
            .output()
            .unwrap()
    };
    fs::write(&copy, "mine").unwrap();
    assert_fails(
        &convert(&[]),
        1,
        &["copy.jsonl is there already", "--force"],
    );
    assert_eq!(fs::read_to_string(&copy).unwrap(), "mine");
    assert!(convert(&["--force"]).status.success());
    assert_eq!(fs::read(&copy).unwrap(), fs::read(&file).unwrap());

    let file = file.to_str().unwrap();
    assert_fails(
        &run(start_and_exit(), &["record", file]),
        1,
        &["there already", "--force"],
    );
}

#[test]
fn what_goes_wrong_is_named_with_the_file_and_leaves_none() {
    let (dir, file) = recorded("jsonl");
    let at = |name: &str| dir.path().join(name);
    fs::write(at("letter.jsonl"), "Dear Sir,\n").unwrap();
    let before = names(dir.path());
    for (from, to, code, words) in [
        ("none.jsonl", "a.csv", 1, ["none.jsonl", "No such file"]),
        (
            "letter.jsonl",
            "a.csv",
            1,
            ["letter.jsonl, line 1, column 1", "expected"],
        ),
        ("day.jsonl", "a.tape", 2, ["a.tape", "--format"]),
        (
            "day.jsonl",
            "no/where.csv",
            1,
            ["where.csv", "No such file"],
        ),
    ] {
        let output = ntwatch(None, &["convert"])
            .arg(at(from))
            .arg(at(to))
            .output()
            .unwrap();
        assert_fails(&output, code, &words);
        assert_eq!(names(dir.path()), before, "{from}, {to}");
    }
    assert_fails(
        &on_file(&["show", "--from", "csv"], dir.path()),
        1,
        &["is a directory"],
    );
    let full = ntwatch(None, &["convert", "--format", "csv"])
        .args([&file, Path::new("/dev/full")])
        .output()
        .unwrap();
    assert_fails(&full, 1, &["/dev/full", "No space left"]);
}

#[test]
fn without_a_driver_there_is_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("day.jsonl");
    let nowhere = ["--device", "unix:/nonexistent/n.sock", "record"];
    assert_fails(&on_file(&nowhere, &file), 3, &["/nonexistent/n.sock"]);
    assert_eq!(names(dir.path()), [""; 0]);
}

#[test]
fn losses_fail_a_recording_only_if_asked_to_and_are_in_it() {
    for (words, code) in [(&["record"][..], 0), (&["record", "--fail-on-loss"], 4)] {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("day.csv");
        let server = Server::start(Machine::new([lost(6, 7)]));
        let output = ntwatch(Some(&server), words).arg(&file).output().unwrap();
        assert_eq!(output.status.code(), Some(code));
        let shown = on_file(&["show", "--format", "jsonl"], &file);
        assert!(text(&shown.stdout).contains(r#""lost":{"process_start":7}"#));
    }
}

#[test]
fn ctrl_c_ends_a_recording_and_it_is_whole() {
    for extension in ALL {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("day").with_extension(extension);
        let mut machine = start_and_exit();
        machine.at_end = AtEnd::Pend;
        let server = Server::start(machine);
        let child = ntwatch(Some(&server), &["record", "--for", "30s"])
            .arg(&file)
            .spawn()
            .unwrap();
        // It is idle once all is in the file.
        let growing = file.with_added_extension("growing");
        while !fs::read_to_string(&growing).is_ok_and(|text| text.contains("process_exit")) {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert_eq!(names(dir.path()), [format!("day.{extension}")]);
    }
}
