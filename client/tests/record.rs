//! `ntwatch record`, `show` and `convert`.
#![cfg(unix)]

mod common;

use common::machine::{AtEnd, Machine};
use common::program::{assert_fails, names, ntwatch, run, text};
use common::records::{Start, exit, lost, start};
use common::serve::Server;
use ntwatch_client::protocol::record::FIRST_SEQ;
use rustix::process::Signal;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use tempfile::TempDir;

const ALL: [&str; 3] = ["jsonl", "csv", "parquet"];

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
    assert_eq!(lines(&["--where", "exit_status exists"]), 3);
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
    fs::write(at("letter"), "Dear Sir,\n").unwrap();
    let before = names(dir.path());
    for (from, to, code, words) in [
        ("letter", "a.csv", 2, ["letter: ", "with --from"]),
        ("none.jsonl", "a.csv", 1, ["none.jsonl", "No such file"]),
        (
            "letter.jsonl",
            "a.csv",
            1,
            ["letter.jsonl, line 1, column 1", "expected"],
        ),
        ("day.jsonl", "a.tape", 2, ["a.tape", "with --format"]),
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
    let here = ntwatch(None, &["show", "."]).output().unwrap();
    assert_fails(&here, 1, &["cannot open .: is a directory\n"]);
    let full = ntwatch(None, &["convert", "--format", "csv"])
        .args([&file, Path::new("/dev/full")])
        .output()
        .unwrap();
    assert_fails(&full, 1, &["/dev/full", "No space left"]);
}

#[test]
fn a_reader_that_has_gone_away_has_all_it_wanted() {
    let (_dir, file) = recorded("jsonl");
    for extension in ALL {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut convert = ntwatch(None, &["convert", "--format", extension]);
        let convert = convert.arg(&file).arg("-").stdout(writer);
        let output = convert.output().unwrap();
        assert_eq!(text(&output.stderr), "", "{extension}");
        assert!(output.status.success(), "{extension}");
    }
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
fn what_asks_a_recording_to_end_leaves_it_whole() {
    for (signal, extension) in [
        (Signal::INT, "jsonl"),
        (Signal::INT, "csv"),
        (Signal::TERM, "csv"),
        // The terminal is closed.
        (Signal::HUP, "csv"),
    ] {
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
        rustix::process::kill_process(pid, signal).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = text(&output.stderr);
        assert!(output.status.success(), "{signal:?}: {said}");
        assert_eq!(names(dir.path()), [format!("day.{extension}")]);
    }
}

/// So many exits.
fn exits(count: u64) -> Machine {
    let Start { pid, key, .. } = Start::default();
    let batch = |from| (from..count.min(from + 500)).flat_map(move |nth| exit(nth, pid, key));
    Machine::new((0..count).step_by(500).map(|from| batch(from).collect()))
}

/// More than one row group.
const MANY: u64 = 66_000;

#[test]
fn a_killed_writer_leaves_the_row_groups_that_it_had_written() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("day.parquet");
    let server = Server::start(Machine {
        at_end: AtEnd::Pend,
        ..exits(MANY)
    });
    let mut child = ntwatch(Some(&server), &["record"])
        .arg(&file)
        .spawn()
        .unwrap();
    let footer = dir.path().join("day.parquet.footer");
    while !footer.exists() {
        assert!(
            child.try_wait().unwrap().is_none(),
            "it goes on until it is killed"
        );
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!file.exists());

    let growing = dir.path().join("day.parquet.growing");
    let rescued = dir.path().join("rescued.jsonl");
    let mut convert = ntwatch(None, &["convert"]);
    let output = convert.args([&growing, &rescued]).output().unwrap();
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("day.parquet.growing was not finished"),
        "{said}"
    );
    let rescued = fs::read_to_string(rescued).unwrap();
    let lines: Vec<_> = rescued.lines().collect();
    assert_eq!(lines.len(), 65_536);
    assert!(lines[0].contains(r#""event":"session""#), "{}", lines[0]);
    assert!(lines[65_535].contains(r#""event":"process_exit""#));

    // Whoever records again does not read the old footer.
    assert_fails(
        &run(start_and_exit(), &["record", file.to_str().unwrap()]),
        1,
        &["growing", "convert"],
    );
}

#[test]
fn what_is_left_of_a_recording_is_not_written_over_by_its_rescue() {
    for extension in ALL {
        let (dir, file) = recorded(extension);
        let left = file.with_added_extension("growing");
        fs::rename(&file, &left).unwrap();
        let before = fs::read(&left).unwrap();
        for words in [&["convert"][..], &["convert", "--force"]] {
            let output = ntwatch(None, words).args([&left, &file]).output().unwrap();
            assert_fails(&output, 2, &["growing is what is read", "name another"]);
            assert_eq!(fs::read(&left).unwrap(), before);
            assert_eq!(names(dir.path()).len(), 1);
        }
    }
}

#[test]
fn parts_are_not_mixed_with_those_of_another_recording() {
    let dir = tempfile::tempdir().unwrap();
    let (file, old) = (
        dir.path().join("day.csv"),
        dir.path().join("day-000007.csv"),
    );
    fs::write(&old, "mine").unwrap();
    let record = |words: &[&str]| {
        let rotate = ["record", "--rotate", "1h", file.to_str().unwrap()];
        run(start_and_exit(), &[&rotate, words].concat())
    };
    let refused = ["day-000007.csv is there already", "--force"];
    assert_fails(&record(&[]), 1, &refused);
    assert_eq!(names(dir.path()), ["day-000007.csv"]);
    assert!(record(&["--force"]).status.success());
    assert_eq!(names(dir.path()), ["day-000001.csv"]);

    for no_file in ["-", "/dev/null"] {
        let words = ["record", "--format", "csv", "--rotate", "1h", no_file];
        assert_fails(&run(start_and_exit(), &words), 2, &[no_file, "rotate"]);
    }
}

#[test]
fn old_parts_go_only_when_there_is_something_in_their_place() {
    let dir = tempfile::tempdir().unwrap();
    for old in ["day-000001.csv", "day-000007.csv"] {
        fs::write(dir.path().join(old), "mine").unwrap();
    }
    let file = dir.path().join("day.csv");
    // The driver is there, but the session does not begin.
    let (file, long) = (file.to_str().unwrap(), "x".repeat(5000));
    let words = [
        "record", "--rotate", "1h", "--force", "--image", &long, file,
    ];
    assert_fails(&run(start_and_exit(), &words), 2, &["xxx"]);
    assert_eq!(names(dir.path()), ["day-000001.csv", "day-000007.csv"]);
}

#[test]
fn a_part_ends_in_time_though_nothing_comes_and_the_next_waits_for_an_event() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("day.parquet");
    let mut machine = start_and_exit();
    machine.at_end = AtEnd::Pend;
    let words = ["record", "--rotate", "1s", "--for", "5s"];
    let words = [&words[..], &[file.to_str().unwrap()]].concat();
    let output = run(machine, &words);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let parts = ["day-000001.parquet", "day-000002.parquet"];
    assert_eq!(names(dir.path()), parts);
    let shown = on_file(&["show", "--format", "jsonl"], &dir.path().join(parts[0]));
    assert!(text(&shown.stdout).contains("process_exit"));
}

#[test]
fn what_cannot_be_written_any_more_has_its_account_all_the_same() {
    let words = ["record", "--format", "csv", "/dev/full"];
    let full = run(start_and_exit(), &words);
    assert_fails(
        &full,
        1,
        &["/dev/full", "No space left", "The account balances"],
    );
}

#[test]
fn nobody_has_to_listen_to_what_is_wrong() {
    let (nobody, says) = std::io::pipe().unwrap();
    drop(nobody);
    let mut show = ntwatch(None, &["show", "none.jsonl"]);
    assert_eq!(show.stderr(says).status().unwrap().code(), Some(1));
}

#[test]
fn files_rotate_and_are_one_together() {
    // A row group is in one part.
    for (extension, size, count) in [
        ("jsonl", "64KiB", 2000),
        ("csv", "64KiB", 2000),
        ("parquet", "1KiB", MANY),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("day").with_extension(extension);
        let words = ["record", "--rotate", size, file.to_str().unwrap()];
        let output = run(exits(count), &words);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let parts = names(dir.path());
        assert!(parts.len() > 1, "{parts:?}");
        assert_eq!(parts[0], format!("day-000001.{extension}"));
        let mut show = ntwatch(None, &["show", "--format", "jsonl"]);
        show.args(parts.iter().map(|part| dir.path().join(part)));
        let shown = show.output().unwrap();
        assert!(shown.status.success(), "{}", text(&shown.stderr));
        let lines: Vec<_> = text(&shown.stdout).lines().collect();
        let (session, running) = (1, 1);
        assert_eq!(lines.len() as u64, session + running + count);
        let last = format!(r#"{{"seq":{},"#, FIRST_SEQ + count - 1);
        assert!(lines[lines.len() - 1].starts_with(&last), "{last}");
    }
}
