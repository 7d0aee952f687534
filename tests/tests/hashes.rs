//! Hashes of the files that processes are run from.

use ntwatch_tests::lab::{Lab, PATIENCE, stderr, stdout};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

/// Drive C of a live machine is Linux' root.
#[test]
fn a_process_has_the_hash_that_sha256sum_gives_its_file() {
    let lab = Lab::get();
    let machine = lab.serve(["--live"]);
    let mut sleep = Command::new("sleep")
        .arg("1000")
        .spawn()
        .expect("sleep runs");
    let patience = format!("{}s", PATIENCE.as_secs());
    let mut watch = lab
        .ntwatch(
            Some(&machine.device()),
            ["watch", "--format", "jsonl", "--hash", "sha256"],
        )
        .args(["--events", "process_start", "--for", &patience])
        .args(["--pid", &sleep.id().to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("ntwatch starts");
    let lines = BufReader::new(watch.stdout.take().expect("a pipe")).lines();
    let process = lines
        .map(|line| serde_json::from_str::<Value>(&line.expect("text")).expect("JSON"))
        .find(|line| line["process"]["pid"] == sleep.id())
        .expect("the process is told of");
    let interrupted = Command::new("kill")
        .args(["-INT", &watch.id().to_string()])
        .status();
    assert!(interrupted.expect("kill runs").success());
    let mut summary = String::new();
    let mut said = watch.stderr.take().expect("a pipe");
    said.read_to_string(&mut summary).expect("text");
    assert!(watch.wait().expect("it ends").success(), "{summary}");

    let exe = format!("/proc/{}/exe", sleep.id());
    let expected = Command::new("sha256sum").arg(exe).output();
    let expected = expected.expect("sha256sum runs");
    assert!(expected.status.success(), "{}", stderr(&expected));
    sleep.kill().expect("it sleeps");
    sleep.wait().expect("it ends");
    let (clean, log) = machine.stop();
    assert!(clean, "{log}");
    let expected = stdout(&expected).split(' ').next();
    assert_eq!(process["process"]["sha256"].as_str(), expected, "{process}");
    assert!(
        summary.contains("hashes: 1 found, 0 not readable, 0 late"),
        "{summary}"
    );
}
