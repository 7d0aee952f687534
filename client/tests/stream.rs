//! What the library makes of a driver's records and Windows' snapshots.

mod common;

use common::assert_of_schema;
use common::fake::{Fake, lines, running};
use common::machine::{AtEnd, Machine};
use common::records::{Start, exit, lost, start, unknown, utf16};
use ntwatch_client::protocol::record::{FIRST_SEQ, Kind};
use ntwatch_client::stats::Account;
use ntwatch_client::transport::RunningProcess;
use ntwatch_client::{Body, End, Error, Event, Filter};
use proptest::prelude::*;
use serde_json::{Value, json};

/// The lines' `event` and pid, without the session.
fn told(lines: &[Value]) -> Vec<(&str, u64)> {
    lines[1..]
        .iter()
        .map(|line| {
            let pid = line["process"]["pid"].as_u64();
            (line["event"].as_str().unwrap(), pid.unwrap_or_default())
        })
        .collect()
}

#[test]
fn a_start_is_shown_with_all_that_is_known_and_null_for_the_rest() {
    let command_line = utf16("cmd.exe /c \"ver\"");
    let machine = Machine::new([start(
        0,
        &Start {
            parent: (4, Some(1)),
            command_line: Some(&command_line),
            ..Start::default()
        },
    )]);
    let lines = Fake::new(machine).lines();
    assert_eq!(
        lines[0],
        json!({
            "seq": 0,
            "time": "2024-02-29T00:00:00.0000000Z",
            "event": "session",
            "session": {
                "driver_load_id": "0x1da6a9c00000000",
                "boot_time": "2024-02-28T23:59:59.9998000Z",
                "host": "WORKSTATION5",
                "schema": 1,
                "driver_version": "0.1.2.3",
                "client_version": env!("CARGO_PKG_VERSION"),
            },
        })
    );
    assert_eq!(
        lines[2],
        json!({
            "seq": FIRST_SEQ,
            "time": "2024-02-29T00:00:00.0000000Z",
            "event": "process_start",
            "process": {
                "pid": 4711,
                "key": "0x1000000004711",
                "create_time": "2024-02-29T00:00:00.0000000Z",
                "image": r"C:\Windows\System32\cmd.exe",
                "image_exact": true,
                "command_line": "cmd.exe /c \"ver\"",
                "session": 1,
                "user": r"NT AUTHORITY\SYSTEM",
                "logon_id": "0x3e7",
                "integrity": "system",
                "elevated": null,
                "protection": null,
                "wow64": null,
                "subsystem": "win32",
            },
            "parent": {"pid": 4, "key": "0x1", "image": "System"},
            "creator": {"pid": 4, "tid": 8, "key": "0x1", "image": "System"},
            "creation_status": null,
        })
    );
}

#[test]
fn an_exit_has_the_name_that_its_start_had() {
    let Start { pid, key, .. } = Start::default();
    let machine = Machine::new([start(0, &Start::default()), exit(1, pid, key)]);
    let lines = Fake::new(machine).lines();
    assert_eq!(lines[3]["process"]["image"], r"C:\Windows\System32\cmd.exe");
    assert_eq!(lines[3]["exit_status"], 1);
}

#[test]
fn names_come_by_key_and_never_from_another_bearer_of_the_pid() {
    let child = |nth, parent| {
        start(
            nth,
            &Start {
                parent,
                key: 100 + nth,
                ..Start::default()
            },
        )
    };
    let again = Start {
        pid: 4,
        key: 2,
        path: Some(r"\Device\HarddiskVolume3\new.exe"),
        ..Start::default()
    };
    let machine = Machine::new([
        start(0, &again),
        child(1, (4, Some(1))),
        child(2, (4, Some(2))),
        child(3, (4, Some(3))),
        child(4, (4, None)),
    ]);
    let lines = Fake::new(machine).lines();
    let parents: Vec<_> = lines[3..]
        .iter()
        .map(|line| line["parent"]["image"].clone())
        .collect();
    assert_eq!(
        parents,
        [
            json!("System"),
            json!(r"C:\new.exe"),
            json!(null),
            json!(null)
        ]
    );
}

#[test]
fn a_wsl_process_keeps_its_linux_path_and_the_nuls_of_its_arguments() {
    let arguments = utf16("ls\0-l\0");
    let wsl = Start {
        name: Some("/usr/bin/ls"),
        path: Some(r"\Device\HarddiskVolume3\rootfs\usr\bin\ls"),
        command_line: Some(&arguments),
        wsl: true,
        ..Start::default()
    };
    let lines = Fake::new(Machine::new([start(0, &wsl)])).lines();
    let process = &lines[2]["process"];
    assert_eq!(process["image"], "/usr/bin/ls");
    assert_eq!(process["command_line"], "ls\0-l\0");
    assert_eq!(
        process["subsystem"],
        json!(null),
        "Windows did not say which"
    );
}

#[test]
fn what_ran_before_is_shown_even_if_it_is_gone_by_the_second_snapshot() {
    let mut fake = Fake::new(Machine::new([]));
    fake.before = vec![running(4, 1, "System"), running(8, 2, "brief.exe")];
    fake.after = vec![running(4, 1, "System")];
    assert_eq!(
        told(&fake.lines()),
        [("process_running", 4), ("process_running", 8)]
    );
}

#[test]
fn a_process_that_begins_between_the_snapshots_is_told_of_once() {
    let newcomers = |machine| {
        let mut fake = Fake::new(machine);
        fake.after.push(running(8, 2, "new.exe"));
        fake
    };
    let new = Start {
        pid: 8,
        key: 2,
        ..Start::default()
    };
    let child = Start {
        parent: (8, Some(2)),
        ..Start::default()
    };

    // Its start comes: that is enough.
    let lines = newcomers(Machine::new([start(0, &new), start(1, &child)])).lines();
    let started = [
        ("process_running", 4),
        ("process_start", 8),
        ("process_start", 4711),
    ];
    assert_eq!(told(&lines), started);

    // An event refers to it: it ran already.
    let lines = newcomers(Machine::new([start(0, &child), exit(1, 8, 2)])).lines();
    let referred = [
        ("process_running", 4),
        ("process_running", 8),
        ("process_start", 4711),
        ("process_exit", 8),
    ];
    assert_eq!(told(&lines), referred);
    assert_eq!(lines[3]["parent"]["image"], "new.exe");

    // Nothing more comes.
    let mut idle = Machine::new([]);
    idle.at_end = AtEnd::Pend;
    let mut watch = newcomers(idle).watch(&Filter::new());
    assert!(!watch.knows_who_runs());
    let last = watch.by_ref().nth(2).unwrap().unwrap();
    assert!(matches!(last.body, Body::ProcessRunning(start) if start.process.pid == 8));
    assert!(watch.is_caught_up() && watch.knows_who_runs());
}

#[test]
fn a_start_captured_for_another_session_is_shown_though_its_process_was_told_of() {
    let late = Start {
        pid: 8,
        key: 2,
        ..Start::default()
    };
    let child = Start {
        parent: (8, Some(2)),
        ..Start::default()
    };
    let records = || Machine::new([start(0, &child), start(1, &late), exit(2, 8, 2)]);
    let once_each = [
        ("process_running", 4),
        ("process_running", 8),
        ("process_start", 4711),
        ("process_start", 8),
        ("process_exit", 8),
    ];

    let mut ran_before = Fake::new(records());
    ran_before.before.push(running(8, 2, "late.exe"));
    ran_before.after = ran_before.before.clone();
    assert_eq!(told(&ran_before.lines()), once_each);

    let mut newcomer = Fake::new(records());
    newcomer.after.push(running(8, 2, "late.exe"));
    assert_eq!(told(&newcomer.lines()), once_each);
}

#[test]
fn a_running_process_names_its_parent_only_if_the_pid_is_still_the_parents() {
    let mut fake = Fake::new(Machine::new([]));
    let child = |pid, key, parent| RunningProcess {
        parent_pid: Some(parent),
        ..running(pid, key, "child.exe")
    };
    // Pid 12 was borne again after the child of its first bearer had begun.
    fake.before = vec![
        child(8, 5, 4),
        child(16, 6, 12),
        running(12, 9, "later.exe"),
    ];
    fake.before.push(running(4, 1, "System"));
    fake.after = fake.before.clone();
    let lines = fake.lines();
    assert_eq!(
        lines[1]["parent"],
        json!({"pid": 4, "key": "0x1", "image": "System"})
    );
    assert_eq!(
        lines[2]["parent"],
        json!({"pid": 12, "key": null, "image": null})
    );
}

#[test]
fn the_filter_holds_for_what_runs_already() {
    let mut fake = Fake::new(Machine::new([]));
    fake.before
        .push(running(8, 2, r"\Device\HarddiskVolume3\Tools\a.exe"));
    fake.after = fake.before.clone();
    let lines_of = lines(fake.watch(&Filter::new().image(r"c:\tools\*")));
    assert_eq!(told(&lines_of), [("process_running", 8)]);

    let exits = Fake::new(Machine::new([])).watch(&Filter::new().event(Kind::ProcessExit));
    assert_eq!(told(&lines(exits)), []);
}

#[test]
fn losses_are_told_where_they_happened_and_add_up() {
    let machine = Machine::new([
        [start(0, &Start::default()), lost(7, 7)].concat(),
        unknown(8),
    ]);
    let mut watch = Fake::new(machine).watch(&Filter::new());
    let events: Vec<Event> = watch.by_ref().map(Result::unwrap).collect();
    let line = serde_json::to_value(events.last().unwrap()).unwrap();
    assert_of_schema(&line);
    assert_eq!(line["stage"], "session");
    assert_eq!(line["lost"], json!({"process_start": 7}));
    assert_eq!(line["last_seq"], FIRST_SEQ + 7);
    assert_eq!(watch.received().total(), 2);
    assert_eq!(watch.lost(None), 7);
    let account = Account::of(&watch.driver().stats().unwrap(), Kind::ProcessStart);
    assert!(account.balances());
    assert_eq!(
        (account.session_captured, account.delivered, account.lost()),
        (8, 1, 7)
    );
}

#[test]
fn a_stream_ends_when_the_driver_shuts_down_and_when_it_is_stopped() {
    let mut watch = Fake::new(Machine::new([])).watch(&Filter::new());
    assert_eq!(watch.by_ref().count(), 2);
    assert_eq!(watch.end(), Some(End::DriverShutdown));

    let mut waits = Machine::new([exit(0, 4, 1)]);
    waits.at_end = AtEnd::Pend;
    let mut watch = Fake::new(waits).watch(&Filter::new());
    let stopper = watch.stopper();
    while watch.next().unwrap().unwrap().body.kind().is_none() {}
    let stopping = std::thread::spawn(move || stopper.stop());
    assert!(watch.next().is_none());
    assert_eq!(watch.end(), Some(End::Stopped));
    stopping.join().unwrap();
}

#[test]
fn records_that_are_none_end_the_stream_with_an_error_behind_the_events_before_them() {
    let batch = [exit(0, 4, 1), vec![0xff; 40]].concat();
    let mut watch = Fake::new(Machine::new([batch])).watch(&Filter::new());
    let items: Vec<_> = watch.by_ref().collect();
    assert!(
        matches!(
            items.as_slice(),
            [Ok(_), Ok(_), Ok(exit), Err(Error::Record { .. })]
                if matches!(exit.body, Body::ProcessExit(_))
        ),
        "{items:?}"
    );
    assert_eq!(watch.end(), Some(End::Failed));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_line_is_of_the_schema_whatever_the_strings_are(
        name in prop::option::of(".{0,20}"),
        path in prop::option::of(".{0,20}"),
        command_line in prop::option::of(prop::collection::vec(any::<u16>(), 0..30)),
        pid: u32,
        key: u64,
        wsl: bool,
    ) {
        let process = Start {
            pid,
            key,
            parent: (pid, Some(key)),
            name: name.as_deref(),
            path: path.as_deref(),
            command_line: command_line.as_deref(),
            wsl,
        };
        let machine = Machine::new([start(0, &process), exit(1, pid, key)]);
        let lines = Fake::new(machine).lines();
        prop_assert_eq!(lines.len(), 4);
        let line = command_line.filter(|units| !units.is_empty());
        let line = line.map(|units| String::from_utf16_lossy(&units));
        prop_assert_eq!(&lines[2]["process"]["command_line"], &json!(line));
    }
}
