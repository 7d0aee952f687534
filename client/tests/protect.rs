//! `ntwatch protect`, against a machine behind a Unix socket.
#![cfg(unix)]

mod common;

use common::machine::Machine;
use common::program::{assert_fails, ntwatch, run, text};
use common::serve::Server;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read};
use std::process::Command;

const ADD: [&str; 5] = ["protect", "add", "4711", "--deny", "terminate,vm-write"];

#[test]
fn a_rule_stays_until_ctrl_c_and_says_what_it_denies() {
    let server = Server::start(Machine::new([]));
    let mut child = ntwatch(Some(&server), &ADD).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    for word in [
        r"C:\Windows\System32\cmd.exe (4711)",
        "TERMINATE|VM_WRITE to it",
        "TERMINATE to its threads",
        "from before keep",
        "Ctrl+C",
    ] {
        assert!(line.contains(word), "not a word of {word:?} in:\n{line}");
    }
    let pid = child.id().to_string();
    let kill = Command::new("kill").args(["-INT", &pid]).status();
    assert!(kill.unwrap().success());
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert!(child.wait().unwrap().success(), "{rest}");
    assert!(rest.contains("no longer protected"), "{rest}");
}

#[test]
fn a_rule_ends_when_its_time_is_over() {
    let output = run(Machine::new([]), &[&ADD[..], &["--for", "100ms"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn a_rule_that_ends_before_its_time_says_why() {
    let mut removed = Machine::new([]);
    removed.rules_last = Some(0);
    let output = run(removed.clone(), &ADD);
    assert_fails(&output, 1, &["somebody else"]);

    let mut shut_down = removed.clone();
    shut_down.shuts_down = true;
    let output = run(shut_down, &ADD);
    assert_fails(&output, 1, &["the driver is shutting down"]);

    let mut exited = removed;
    exited.rules_last = Some(1);
    exited.target_lasts = false;
    let output = run(exited, &ADD);
    assert_fails(&output, 0, &["has ended"]);
}

#[test]
fn what_cannot_be_denied_is_refused_with_what_can_be() {
    let denying = |rights| {
        let add = ["--device", "unix:/x", "protect", "add", "4711", "--deny"];
        let output = ntwatch(None, &[&add[..], &[rights]].concat()).output();
        output.unwrap()
    };
    assert_fails(&denying("terminate,vm-read"), 2, &["VM_READ", "vm-write, "]);
    assert_fails(&denying("get-context"), 2, &["GET_CONTEXT to a thread"]);
    assert_fails(&denying("0x11"), 2, &["VM_READ"]);
    for hidden in ["vm-write|vm-read", "terminate|0x10", "terminate, 0x11"] {
        assert_fails(&denying(hidden), 2, &["VM_READ to a process"]);
    }
    assert_fails(&denying("fly"), 2, &["`fly` is no right"]);
}

#[test]
fn without_the_privilege_nobody_protects_or_looks() {
    let mut machine = Machine::protected();
    machine.privileged = false;
    for args in [
        &ADD[..],
        &["protect", "list"],
        &["protect", "remove", "4711"],
    ] {
        let words = ["SeDebugPrivilege", "not held", "admin"];
        assert_fails(&run(machine.clone(), args), 3, &words);
    }
}

#[test]
fn a_process_that_is_not_there_cannot_be_protected() {
    let output = run(
        Machine::new([]),
        &["protect", "add", "5", "--deny", "terminate"],
    );
    assert_fails(&output, 1, &["no process has the pid 5"]);
}

#[test]
fn a_process_is_protected_by_the_pid_that_it_has() {
    // Windows finds it by these, too.
    let add = [
        "protect",
        "add",
        "4709",
        "--deny",
        "terminate",
        "--for",
        "0s",
    ];
    let output = run(Machine::new([]), &add);
    assert_fails(&output, 0, &[r"cmd.exe (4711) is protected"]);
    let output = run(Machine::protected(), &["protect", "remove", "4709"]);
    assert!(text(&output.stdout).contains("(4711) is no longer protected"));
}

#[test]
fn rules_are_listed_for_people_and_for_programs() {
    let list = run(Machine::protected(), &["protect", "list"]);
    assert_eq!(
        text(&list.stdout),
        "C:\\Windows\\System32\\cmd.exe (4711): TERMINATE|VM_WRITE to it, TERMINATE to its threads\n"
    );
    let list = run(
        Machine::protected(),
        &["protect", "list", "--format", "jsonl"],
    );
    let line: Value = serde_json::from_slice(&list.stdout).unwrap();
    assert_eq!(
        line,
        json!({
            "pid": 4711,
            "key": "0x1000000004711",
            "image": r"C:\Windows\System32\cmd.exe",
            "deny": {"process": 0x21, "thread": 0x1},
        })
    );
    let list = run(Machine::new([]), &["protect", "list"]);
    assert_eq!(text(&list.stdout), "No process is protected.\n");
}

#[test]
fn a_rule_of_anybody_can_be_ended_if_there_is_one() {
    let output = run(Machine::protected(), &["protect", "remove", "4711"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("(4711) is no longer protected"));
    let output = run(Machine::protected(), &["protect", "remove", "8"]);
    assert_fails(&output, 1, &["no rule protects the process 8", "list"]);
}
