//! The command line beside a machine that is at work.

use ntwatch_tests::lab::{Lab, PATIENCE, stderr, stdout};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// Linux' processes are told of as the Subsystem for Linux would: path and arguments as Linux has
/// them.
#[test]
fn a_linux_process_is_seen_as_one_of_the_subsystem_for_linux() {
    let lab = Lab::get();
    let machine = lab.serve(["--live", "wsl"]);
    let patience = format!("{}s", PATIENCE.as_secs());
    let mut watch = lab
        .ntwatch(
            Some(&machine.device()),
            ["watch", "--format", "jsonl", "--events", "process_start"],
        )
        .args(["--for", &patience])
        .stdout(Stdio::piped())
        .spawn()
        .expect("ntwatch starts");
    let lines = BufReader::new(watch.stdout.take().expect("a pipe")).lines();
    let mut lines = lines.map(|line| line.expect("a line of text"));
    lines.next().expect("the session, so it listens");

    // Long enough for a source that has to poll.
    let mut sleep = Command::new("sleep").arg("3").spawn().expect("sleep runs");
    let start = lines
        .map(|line| serde_json::from_str::<Value>(&line).expect("a line of JSON"))
        .find(|line| line["event"] == "process_start" && line["process"]["pid"] == sleep.id());
    watch.kill().expect("it still watches");
    watch.wait().expect("it ends");
    sleep.wait().expect("it ends");
    let start = start.expect("the process is seen");
    let process = &start["process"];
    assert_eq!(process["subsystem"], "wsl", "{start}");
    let image = process["image"].as_str().expect("an image");
    assert!(
        image.starts_with('/') && image.ends_with("sleep"),
        "{start}"
    );
    assert_eq!(process["command_line"], "sleep\u{0}3\u{0}", "{start}");
    let (clean, log) = machine.stop();
    assert!(clean, "{log}");
}

/// A user of `ntwatch protect`, and another who looks and ends it.
#[test]
fn a_rule_is_added_listed_and_removed_on_the_command_line() {
    let lab = Lab::get();
    let machine = lab.serve::<&str>([]);
    let device = machine.device();
    let protect = |arguments: &[&str]| {
        let mut command = lab.ntwatch(Some(&device), ["protect"]);
        command.args(arguments);
        command
    };
    // A right that no driver may take away is refused, by its name.
    let refused = protect(&["add", "4", "--deny", "vm-read"]).output();
    let refused = refused.expect("ntwatch runs");
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("vm-read"), "{}", stderr(&refused));

    let add = protect(&["add", "4", "--deny", "terminate,vm-write"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("ntwatch starts");
    let list = || {
        let list = protect(&["list", "--format", "jsonl"])
            .output()
            .expect("ntwatch runs");
        assert!(list.status.success(), "{}", stderr(&list));
        stdout(&list).to_owned()
    };
    let listed = ntwatch_tests::lab::until("the rule", || {
        let listed = list();
        (!listed.is_empty()).then_some(listed)
    });
    let rule: Value = serde_json::from_str(listed.trim()).expect("one line of JSON");
    assert_eq!(rule["pid"], 4, "{listed}");
    assert_eq!(rule["deny"]["process"], 0x21, "{listed}");
    let removed = protect(&["remove", "4"]).output().expect("ntwatch runs");
    assert!(removed.status.success(), "{}", stderr(&removed));
    assert_eq!(list(), "");
    let ended = add.wait_with_output().expect("it ends with its rule");
    assert!(
        stderr(&ended).contains("somebody else has ended the rule"),
        "{}",
        stderr(&ended)
    );
    let nothing = protect(&["remove", "4"]).output().expect("ntwatch runs");
    assert_eq!(nothing.status.code(), Some(1), "{}", stderr(&nothing));
    let (clean, log) = machine.stop();
    assert!(clean, "{log}");
}

/// A 32-bit client cannot have the mapped ring: it reads, unless it was told not to.
#[test]
fn a_client_that_cannot_map_the_ring_reads_and_says_why() {
    const REASON: &str = "not mapped: the driver refused it";
    let lab = Lab::get();
    let machine = lab.serve(["--wow64-clients", "--storm", "10"]);
    let device = machine.device();
    let run = |arguments: &[&str]| {
        let run = lab.ntwatch(Some(&device), arguments).output();
        run.expect("ntwatch runs")
    };
    let stats = run(&["stats"]);
    assert!(stats.status.success(), "{}", stderr(&stats));
    assert!(stdout(&stats).contains(REASON), "{}", stdout(&stats));
    let stats = run(&["stats", "--format", "jsonl"]);
    let line: Value = serde_json::from_str(stdout(&stats)).expect("one line of JSON");
    assert_eq!(line["transport"], "read", "{line}");
    assert!(line["not_mapped"].is_string(), "{line}");

    let forced = run(&["watch", "--transport", "mapped", "--count", "1"]);
    assert_eq!(forced.status.code(), Some(3), "{}", stderr(&forced));
    assert_eq!(stdout(&forced), "");
    let remedy = "`--transport read` does without it";
    assert!(stderr(&forced).contains(remedy), "{}", stderr(&forced));

    let watch = run(&["watch", "--count", "20"]);
    assert!(watch.status.success(), "{}", stderr(&watch));
    assert!(stderr(&watch).contains(REASON), "{}", stderr(&watch));
    assert!(stderr(&watch).contains("20 events"), "{}", stderr(&watch));
    let (clean, log) = machine.stop();
    assert!(clean, "{log}");
}

#[test]
fn the_mapped_ring_is_what_a_client_takes_if_it_can() {
    let lab = Lab::get();
    let machine = lab.serve(["--storm", "10"]);
    let device = machine.device();
    let watch = ["watch", "--count", "20", "--linger", "10ms"];
    let watch = lab.ntwatch(Some(&device), watch).output();
    let watch = watch.expect("ntwatch runs");
    assert!(watch.status.success(), "{}", stderr(&watch));
    let said = stderr(&watch);
    assert!(said.contains("transport: mapped"), "{said}");
    let (clean, log) = machine.stop();
    assert!(clean, "{log}");
}
