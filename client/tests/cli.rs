//! `ntwatch`, the program, against a machine behind a Unix socket.
#![cfg(unix)]

mod common;

use common::assert_of_schema;
use common::machine::{AtEnd, Machine, STATUS_ACCESS_DENIED};
use common::program::{assert_fails, ntwatch, run, text};
use common::records::{Start, exit, lost, start};
use common::serve::Server;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Output};

fn events(output: &Output) -> Vec<Value> {
    text(&output.stdout)
        .lines()
        .map(|line| {
            let line = serde_json::from_str(line).unwrap();
            assert_of_schema(&line);
            line
        })
        .collect()
}

fn start_and_exit() -> Machine {
    let Start { pid, key, .. } = Start::default();
    Machine::new([start(0, &Start::default()), exit(1, pid, key)])
}

/// The same, from a driver that lets its ring be mapped and from one that does not.
fn by_both_ways(at_end: AtEnd) -> [Machine; 2] {
    [true, false].map(|grants_ring| Machine {
        at_end,
        grants_ring,
        ..start_and_exit()
    })
}

#[test]
fn json_lines_are_of_the_schema_and_the_account_is_beside_them() {
    let output = run(start_and_exit(), &["watch", "--format", "jsonl"]);
    assert!(output.status.success());
    let kinds: Vec<_> = events(&output)
        .iter()
        .map(|line| line["event"].clone())
        .collect();
    assert_eq!(
        kinds,
        [
            "session",
            "process_running",
            "process_start",
            "process_exit"
        ]
    );
    let summary = text(&output.stderr);
    assert!(summary.starts_with("ntwatch: 2 events in "), "{summary}");
    assert!(summary.contains("The account balances"), "{summary}");
}

#[test]
fn pretty_lines_in_a_pipe_are_whole_and_without_colour() {
    let output = run(start_and_exit(), &["watch"]);
    let lines: Vec<_> = text(&output.stdout).lines().collect();
    assert_eq!(lines.len(), 5, "{lines:#?}");
    assert_eq!(
        lines[3],
        r"00:00:00.000 start    4711 cmd.exe            ?:4 → C:\Windows\System32\cmd.exe"
    );
    assert!(
        lines[4].starts_with("00:00:00.000 exit     4711 cmd.exe"),
        "{}",
        lines[4]
    );
}

#[test]
fn counting_stops_the_stream_and_the_account_still_balances() {
    let output = run(
        start_and_exit(),
        &["watch", "--format", "jsonl", "--count", "1"],
    );
    assert!(output.status.success());
    assert_eq!(events(&output).last().unwrap()["event"], "process_start");
    let summary = text(&output.stderr);
    assert!(summary.contains("The account balances"), "{summary}");
    assert!(!summary.contains("NOT"), "{summary}");
}

#[test]
fn time_runs_out_for_a_stream_in_which_nothing_happens() {
    for machine in by_both_ways(AtEnd::Pend) {
        let output = run(machine, &["watch", "--format", "jsonl", "--for", "300ms"]);
        assert!(output.status.success());
        assert_eq!(events(&output).len(), 4);
    }
}

#[test]
fn events_are_seen_when_they_happen_and_ctrl_c_ends_cleanly() {
    for machine in by_both_ways(AtEnd::Pend) {
        assert_ends_with_ctrl_c(machine);
    }
}

fn assert_ends_with_ctrl_c(machine: Machine) {
    let server = Server::start(machine);
    let mut child = ntwatch(Some(&server), &["watch", "--format", "jsonl"])
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // The stream is idle from here on, and nothing more will be written.
    for _ in 0..4 {
        lines.next().unwrap().unwrap();
    }
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
    assert!(lines.next().is_none());
    let mut summary = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut summary)
        .unwrap();
    assert!(child.wait().unwrap().success(), "{summary}");
    assert!(summary.contains("The account balances"), "{summary}");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let Start { pid, key, .. } = Start::default();
    let many: Vec<u8> = (0..2000).flat_map(|nth| exit(nth, pid, key)).collect();
    let server = Server::start(Machine::new([many]));
    let mut child = ntwatch(Some(&server), &["watch", "--format", "jsonl"])
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_fails(&output, 0, &[]);
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn losses_fail_only_if_asked_to() {
    let machine = || Machine::new([lost(6, 7)]);
    let output = run(machine(), &["watch", "--format", "jsonl", "--fail-on-loss"]);
    assert_eq!(output.status.code(), Some(4));
    assert_eq!(events(&output).last().unwrap()["lost"]["process_start"], 7);
    assert!(text(&output.stderr).contains("7 lost"));
    assert!(run(machine(), &["watch"]).status.success());
    assert!(
        run(start_and_exit(), &["watch", "--fail-on-loss"])
            .status
            .success()
    );
}

#[test]
fn without_a_driver_it_says_where_it_looked_and_what_to_do() {
    let at = |device| {
        ntwatch(None, &["--device", device, "watch"])
            .output()
            .unwrap()
    };
    assert_fails(
        &at("unix:/nonexistent/n.sock"),
        3,
        &["/nonexistent/n.sock", "nthost serve"],
    );
    assert_fails(&at("tape:0"), 3, &["tape:0", "unix:PATH"]);
    let no_device = ntwatch(None, &["status"]).output().unwrap();
    assert_fails(
        &no_device,
        3,
        &[r"\\.\ntwatch", "not Windows", "cargo xtask demo"],
    );
}

#[test]
fn a_driver_that_refuses_is_named_with_the_reason() {
    let mut closed = start_and_exit();
    closed.open_status = STATUS_ACCESS_DENIED;
    assert_fails(&run(closed, &["watch"]), 3, &["denied", "administrator"]);

    let mut newer = start_and_exit();
    newer.protocol_major += 1;
    assert_fails(
        &run(newer, &["watch"]),
        3,
        &["protocol 2.2", "1.2", "one release"],
    );

    let mut foreign = start_and_exit();
    foreign.foreign = true;
    assert_fails(&run(foreign, &["watch"]), 3, &["is not ntwatch's device"]);
}

/// Checks that two events were shown and summed up, and that the failure was said last.
fn assert_fails_behind_its_events(output: &Output, word: &str) {
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(events(output).len(), 4, "what came before is shown");
    assert!(said.starts_with("ntwatch: 2 events in "), "{said}");
    let last = said.lines().last().unwrap();
    assert!(last.starts_with("ntwatch: unix:"), "{said}");
    assert!(last.contains(word), "not a word of {word:?} in:\n{said}");
}

#[test]
fn a_machine_that_goes_away_is_a_failure_behind_its_events() {
    for machine in by_both_ways(AtEnd::Die) {
        let output = run(machine, &["watch", "--format", "jsonl"]);
        assert_fails_behind_its_events(&output, "cannot read events: the connection");
    }
}

#[test]
fn the_ring_is_mapped_where_it_can_be_and_the_summary_says_which_way_was_taken() {
    let [granted, refused] = by_both_ways(AtEnd::ShutDown);
    let watch = |machine: &Machine, more: &[&str]| {
        let args = [&["watch", "--format", "jsonl"], more].concat();
        let output = run(machine.clone(), &args);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let summary = text(&output.stderr).to_owned();
        assert!(summary.contains("The account balances"), "{summary}");
        assert!(!summary.contains("NOT"), "{summary}");
        (events(&output), summary)
    };
    let said = |summary: &str, word: &str| {
        let transport = summary.lines().nth(1).unwrap();
        assert!(transport.starts_with("transport: "), "{summary}");
        assert!(
            transport.contains(word),
            "not a word of {word:?} in:\n{summary}"
        );
    };
    let (lines, summary) = watch(&granted, &[]);
    said(&summary, "transport: mapped");
    let (lines_lingering, summary) = watch(&granted, &["--transport", "mapped", "--linger", "5ms"]);
    said(&summary, "transport: mapped");
    let (lines_read, summary) = watch(&granted, &["--transport", "read"]);
    said(
        &summary,
        "transport: read, not mapped: reads were asked for",
    );
    let (lines_fallen_back, summary) = watch(&refused, &[]);
    said(
        &summary,
        "transport: read, not mapped: the driver refused it",
    );
    assert!(
        [lines_lingering, lines_read, lines_fallen_back]
            .iter()
            .all(|other| *other == lines)
    );

    let output = run(refused, &["watch", "--transport", "mapped"]);
    assert_fails(
        &output,
        3,
        &["cannot map the ring", "refused", "--transport read"],
    );
}

#[test]
fn stats_say_how_many_sessions_are_mapped_and_whether_this_ones_would_be() {
    let [mut granted, refused] = by_both_ways(AtEnd::ShutDown);
    (granted.stats.sessions, granted.stats.mapped_sessions) = (4, 2);
    let stats =
        |machine: &Machine, more: &[&str]| run(machine.clone(), &[&["stats"], more].concat());
    let said = stats(&granted, &[]);
    for word in [
        "3 sessions besides this one, 2 of them mapped",
        "transport: mapped",
    ] {
        assert!(text(&said.stdout).contains(word), "{}", text(&said.stdout));
    }
    let json = |machine| {
        let said = stats(machine, &["--format", "jsonl"]);
        serde_json::from_slice::<Value>(&said.stdout).unwrap()
    };
    let said = json(&granted);
    assert_eq!(said["mapped_sessions"], 2);
    assert_eq!(
        (&said["transport"], &said["not_mapped"]),
        (&"mapped".into(), &Value::Null)
    );
    let said = json(&refused);
    assert_eq!(said["transport"], "read");
    assert!(
        said["not_mapped"]
            .as_str()
            .unwrap()
            .starts_with("the driver refused it")
    );
    assert_fails(
        &stats(&refused, &["--transport", "mapped"]),
        3,
        &["cannot map the ring"],
    );
}

#[test]
fn a_record_that_is_none_is_a_failure_behind_the_events_of_its_batch() {
    let Start { pid, key, .. } = Start::default();
    let batch = [
        start(0, &Start::default()),
        exit(1, pid, key),
        vec![0xff; 40],
    ]
    .concat();
    let output = run(Machine::new([batch]), &["watch", "--format", "jsonl"]);
    assert_fails_behind_its_events(&output, "what the driver sent cannot be read");
}

#[test]
fn the_account_and_the_version_can_be_asked_for() {
    let mut machine = start_and_exit();
    machine.stats.offered[1] = 12;
    machine.stats.captured[1] = 10;
    machine.stats.capture_lost[1] = 2;
    machine.stats.sessions = 3;
    let stats = run(machine.clone(), &["stats"]);
    let row = text(&stats.stdout).lines().nth(1).unwrap();
    assert_eq!(
        row.split_whitespace().collect::<Vec<_>>(),
        ["process_start", "12", "10", "2"]
    );
    let stats = run(machine.clone(), &["stats", "--format", "jsonl"]);
    let stats: Value = serde_json::from_slice(&stats.stdout).unwrap();
    assert_eq!(stats["events"]["process_start"]["lost"], 2);
    let status = run(machine, &["status"]);
    for word in ["WORKSTATION5", "0.1.2.3", "protocol 1.2", "2 besides"] {
        assert!(
            text(&status.stdout).contains(word),
            "{}",
            text(&status.stdout)
        );
    }
}
