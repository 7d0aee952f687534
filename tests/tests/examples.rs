//! The library's examples, built on the library alone, beside machines that are at work.

use ntwatch_tests::lab::{Lab, Machine, stderr, stdout};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

const TWO_HOSTS: &str = include_str!("fixtures/two-hosts.json");

fn run(example: &str, machine: &Machine) -> String {
    let run = Command::new(example).arg(machine.device()).output();
    let run = run.expect("the example runs");
    assert!(run.status.success(), "{}", stderr(&run));
    stdout(&run).to_owned()
}

#[test]
fn lsass_alert_tells_of_handles_that_can_read_the_memory_of_lsass_and_of_no_other() {
    let dir = tempfile::tempdir().expect("a directory");
    let recording = dir.path().join("recording.json");
    // One of the two who open lsass may read now.
    let reads = TWO_HOSTS.replace(r#""GrantedAccess": "0x40""#, r#""GrantedAccess": "0x1010""#);
    assert_ne!(reads, TWO_HOSTS);
    std::fs::write(&recording, reads).expect("a recording");
    let recording = recording.to_str().expect("a path of text");
    let machine = Lab::get().serve([
        "--replay",
        recording,
        "--host",
        "DESK.lab.example",
        "--speed",
        "max",
        "--exit-when-done",
    ]);
    let alerts = run(env!("CARGO_BIN_EXE_lsass_alert"), &machine);
    let [alert] = alerts.lines().collect::<Vec<_>>()[..] else {
        panic!("one alert, not:\n{alerts}");
    };
    assert!(
        alert.contains(r"C:\Windows\System32\notepad.exe (5000) can read lsass.exe"),
        "{alert}"
    );
    let (clean, log) = machine.finish();
    assert!(clean, "{log}");
}

#[test]
fn process_tree_prints_children_below_their_parents() {
    let mut shell = Command::new("sh")
        .args(["-c", "sleep 1000 & echo $!; wait"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("sh runs");
    let mut sleep = String::new();
    let mut said = BufReader::new(shell.stdout.take().expect("a pipe"));
    said.read_line(&mut sleep).expect("a line");
    let machine = Lab::get().serve(["--live"]);
    let tree = run(env!("CARGO_BIN_EXE_process_tree"), &machine);
    let killed = Command::new("kill").arg(sleep.trim()).status();
    assert!(killed.expect("kill runs").success());
    shell.wait().expect("it ends with its child");
    let (clean, log) = machine.stop();
    assert!(clean, "{log}");

    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut lines = tree
        .lines()
        .skip_while(|line| !line.trim_start().starts_with(&format!("{} ", shell.id())));
    let parent = lines.next().expect("the shell is in the tree");
    let child = lines.next().expect("what it has started, too");
    assert_eq!(
        child.trim(),
        format!("{} sleep 1000", sleep.trim()),
        "{tree}"
    );
    assert_eq!(indent(child), indent(parent) + 2, "{tree}");
}
