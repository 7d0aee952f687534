//! Events in Sysmon's words.

#[path = "common/events.rs"]
mod events;

use ntwatch_client::event::{
    Access, Body, Counts, Event, ExitedProcess, HandleOpen, Hex, Image, ImageLoad, Integrity, Lost,
    Operation, Process, ProcessExit, ProcessRef, ProcessStart, SessionInfo, SignatureLevel,
    SignatureType, Stage, Target, TargetType, Thread, ThreadRef, ThreadStart,
};
use ntwatch_client::format::{Lines, Sysmon};
use ntwatch_client::protocol::record::{KIND_SLOTS, Kind};
use ntwatch_client::time::Time;
use proptest::prelude::*;
use serde_json::{Map, Value};
use std::collections::HashSet;

/// 2020-10-09 22:27:49.1759999.
const NOW: Time = Time(132_467_560_691_759_999);

/// What becomes of events of one stream.
fn told(bodies: impl IntoIterator<Item = Body>) -> Vec<Map<String, Value>> {
    let (mut sysmon, mut text) = (Sysmon::default(), Vec::new());
    for body in bodies {
        let (seq, time) = (1, NOW);
        sysmon.event(&Event { seq, time, body }, &mut text);
    }
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    lines
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

fn session() -> Body {
    Body::Session {
        session: SessionInfo {
            driver_load_id: Hex(1),
            boot_time: None,
            host: "PC1.example".to_owned(),
            schema: 1,
            driver_version: "0.1.0.0".to_owned(),
            client_version: "0.1.0".into(),
        },
    }
}

fn start(pid: u32, key: u64, parent: (u32, u64), command_line: &str) -> Box<ProcessStart> {
    Box::new(ProcessStart {
        process: Process {
            pid,
            key: Hex(key),
            create_time: None,
            image: Some(r"C:\Windows\a.exe".into()),
            image_exact: None,
            command_line: Some(command_line.to_owned()),
            session: None,
            user: Some(r"LAB\anna".into()),
            logon_id: Some(Hex(0x5E8A1)),
            integrity: None,
            elevated: None,
            protection: None,
            wow64: None,
            subsystem: None,
            sha256: None,
        },
        parent: Some(ProcessRef {
            pid: parent.0,
            key: Some(Hex(parent.1)),
            image: None,
        }),
        creator: None,
        creation_status: None,
    })
}

#[test]
fn a_start_has_sysmon_s_fields_in_sysmon_s_forms_and_none_that_is_not_known() {
    let mut child = start(
        0x2838,
        0x0004_0000_0000_082e,
        (700, 0x0004_0000_0000_0012),
        "a.exe\0b\0",
    );
    child.process.session = Some(1);
    child.process.integrity = Some(Integrity(0x2100));
    let lines = told([
        session(),
        Body::ProcessRunning(start(700, 0x0004_0000_0000_0012, (4, 1), "parent.exe -x")),
        Body::ProcessStart(child),
    ]);
    let expected = serde_json::json!([{
        "EventID": 1,
        "Channel": "Microsoft-Windows-Sysmon/Operational",
        "SourceName": "Microsoft-Windows-Sysmon",
        "Provider_Name": "Microsoft-Windows-Sysmon",
        "Hostname": "PC1.example",
        "Computer": "PC1.example",
        "UtcTime": "2020-10-09 22:27:49.175",
        "ProcessGuid": "{e8cbd513-2838-0000-2e08-000000000400}",
        "ProcessId": "10296",
        "Image": r"C:\Windows\a.exe",
        "User": r"LAB\anna",
        "CommandLine": "a.exe b",
        "LogonId": "0x5e8a1",
        "TerminalSessionId": "1",
        "IntegrityLevel": "Medium Plus",
        "ParentProcessGuid": "{e8cbd513-02bc-0000-1200-000000000400}",
        "ParentProcessId": "700",
        "ParentUser": r"LAB\anna",
        "ParentCommandLine": "parent.exe -x",
    }]);
    assert_eq!(serde_json::to_value(lines).unwrap(), expected);
}

#[test]
fn a_thread_in_another_process_has_sysmon_s_fields_in_sysmon_s_forms() {
    let image = |path: &str| Some(path.into());
    let remote = ThreadStart {
        process: ProcessRef {
            pid: 700,
            key: Some(Hex(0x0004_0000_0000_0012)),
            image: image(r"C:\Windows\explorer.exe"),
        },
        thread: Thread {
            tid: 704,
            start_address: Some(Hex(0x7ff8_1b2c_17b0)),
            start_module: image(r"C:\Windows\System32\kernel32.dll"),
            start_offset: Some(0x17b0),
            subsystem: None,
        },
        creator: ThreadRef {
            pid: 0x2838,
            tid: 708,
            key: Some(Hex(0x0004_0000_0000_082e)),
            image: image(r"C:\Windows\a.exe"),
        },
        remote: Some(true),
    };
    let lines = told([
        session(),
        Body::ProcessRunning(start(700, 0x0004_0000_0000_0012, (4, 1), "explorer.exe")),
        Body::ThreadStart(Box::new(remote)),
    ]);
    let expected = serde_json::json!([{
        "EventID": 8,
        "Channel": "Microsoft-Windows-Sysmon/Operational",
        "SourceName": "Microsoft-Windows-Sysmon",
        "Provider_Name": "Microsoft-Windows-Sysmon",
        "Hostname": "PC1.example",
        "Computer": "PC1.example",
        "UtcTime": "2020-10-09 22:27:49.175",
        "SourceProcessGuid": "{e8cbd513-2838-0000-2e08-000000000400}",
        "SourceProcessId": "10296",
        "SourceImage": r"C:\Windows\a.exe",
        "TargetProcessGuid": "{e8cbd513-02bc-0000-1200-000000000400}",
        "TargetProcessId": "700",
        "TargetImage": r"C:\Windows\explorer.exe",
        "TargetUser": r"LAB\anna",
        "NewThreadId": "704",
        "StartAddress": "0x00007FF81B2C17B0",
        "StartModule": r"C:\Windows\System32\kernel32.dll",
    }]);
    assert_eq!(serde_json::to_value(lines).unwrap(), expected);
}

#[test]
fn a_start_that_was_refused_is_none_of_sysmon_s() {
    let refused = ProcessStart {
        creation_status: Some(0xC000_0022),
        ..*start(704, 9, (700, 2), "refused.exe")
    };
    let ran = start(708, 10, (700, 2), "ran.exe");
    let bodies = [refused.into(), ran].map(Body::ProcessStart);
    let lines = told(bodies);
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["CommandLine"], "ran.exe");
}

#[test]
fn nothing_is_said_of_a_process_that_another_with_its_pid_had_told() {
    let lines = told([
        Body::ProcessRunning(start(700, 1, (4, 1), "old.exe")),
        Body::ProcessStart(start(704, 9, (700, 2), "child.exe")),
    ]);
    assert_eq!(lines[0]["ParentProcessId"], "700");
    assert_eq!(lines[0].get("ParentCommandLine"), None);
    assert_eq!(lines[0].get("ParentUser"), None);
}

#[test]
fn nothing_is_said_of_a_process_that_another_machine_had_told() {
    let elsewhere = match session() {
        Body::Session { session } => Body::Session {
            session: SessionInfo {
                host: "PC2.example".to_owned(),
                ..session
            },
        },
        other => other,
    };
    let child = || Body::ProcessStart(start(704, 9, (700, 1), "child.exe"));
    let lines = told([
        session(),
        Body::ProcessRunning(start(700, 1, (4, 1), "parent.exe")),
        session(),
        child(),
        elsewhere,
        child(),
    ]);
    assert_eq!(lines[0]["ParentCommandLine"], "parent.exe");
    assert_eq!(lines[1].get("ParentCommandLine"), None);
}

#[test]
fn what_ended_long_ago_is_forgotten() {
    let end = |pid| {
        Body::ProcessExit(ProcessExit {
            process: ExitedProcess {
                pid,
                key: Hex(1),
                create_time: None,
                image: None,
            },
            exit_status: 0,
        })
    };
    let child = |pid| Body::ProcessStart(start(4, 9, (pid, 1), "child.exe"));
    let many = (1..=5000).flat_map(|pid| {
        let start = Body::ProcessRunning(start(pid, 1, (4, 1), "parent.exe"));
        [start, end(pid)]
    });
    let lines = told(many.chain([child(1), child(5000)]));
    let starts: Vec<_> = lines.iter().filter(|line| line["EventID"] == 1).collect();
    assert_eq!(starts[0].get("ParentCommandLine"), None);
    assert_eq!(starts[1]["ParentCommandLine"], "parent.exe");
}

fn load(kernel: bool, level: u32) -> Body {
    Body::ImageLoad(Box::new(ImageLoad {
        process: None,
        image: Image {
            path: Some(r"C:\Windows\System32\drivers\a.sys".into()),
            base: None,
            size: None,
            kernel,
            signature_level: SignatureLevel(level),
            signature_type: SignatureType(0),
            partial_map: false,
            machine_mismatch: false,
            sha256: Some("ab01".repeat(16).into()),
        },
    }))
}

#[test]
fn images_of_the_kernel_are_drivers_and_a_signature_that_nobody_looked_at_is_not_told_of() {
    let lines = told([load(true, 12), load(false, 1), load(false, 0)]);
    let seen = lines.iter().map(|line| {
        let signed = line.get("Signed").and_then(Value::as_str);
        (line["EventID"].as_u64(), signed)
    });
    let expected = [
        (Some(6), Some("true")),
        (Some(7), Some("false")),
        (Some(7), None),
    ];
    assert!(seen.eq(expected));
    let hash = format!("SHA256={}", "AB01".repeat(16));
    assert_eq!(lines[0]["Hashes"], hash);
}

fn open(of: TargetType, kernel: bool, granted: Option<u32>, target: u32) -> Body {
    Body::HandleOpen(Box::new(HandleOpen {
        operation: Operation::Create,
        kernel,
        source: ThreadRef {
            pid: 700,
            tid: 704,
            key: Some(Hex(7)),
            image: None,
        },
        attached: None,
        target: Target {
            kind: of,
            pid: target,
            tid: None,
            key: Some(Hex(7)),
            image: None,
        },
        duplicate: None,
        access: Access {
            desired: 0x1010,
            original: 0x1010,
            granted,
            stripped: None,
        },
        status: 0,
    }))
}

#[test]
fn an_access_is_a_handle_that_a_process_got_to_another() {
    let lines = told([
        open(TargetType::Process, false, Some(0x1F_FFFF), 800),
        // A thread's, the kernel's, one that was refused, and one to itself.
        open(TargetType::Thread, false, Some(0x1010), 800),
        open(TargetType::Process, true, Some(0x1010), 800),
        open(TargetType::Process, false, None, 800),
        open(TargetType::Process, false, Some(0x1010), 700),
    ]);
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["GrantedAccess"], "0x1fffff");
    assert_eq!(lines[0]["SourceThreadId"], "704");
    // Event 10 alone has these in capitals.
    assert!(lines[0].contains_key("TargetProcessGUID"));
}

#[test]
fn what_was_lost_is_an_error_of_the_queue() {
    let mut counts = [0; KIND_SLOTS];
    counts[Kind::ImageLoad.index()] = 3;
    counts[Kind::HandleOpen.index()] = 51;
    counts[Kind::ThreadExit.index()] = 2;
    let lost = Lost {
        stage: Stage::Capture,
        counts: Counts(counts),
        first_seq: 1,
        last_seq: 2,
    };
    let lines = told([Body::Lost(lost)]);
    assert_eq!(lines[0]["EventID"], 255);
    assert_eq!(lines[0]["ID"], "QUEUE");
    assert_eq!(
        lines[0]["Description"],
        "Events dropped from driver queue: thread_exit:2 ImageLoad:3 ProcessAccess:51"
    );
}

proptest! {
    #[test]
    fn an_event_is_one_line_of_text_or_none(events in prop::collection::vec(events::event(), 1..20)) {
        let kinds: HashSet<u64> = [1, 5, 6, 7, 8, 10, 255].into();
        let most = events.len();
        let lines = told(events.into_iter().map(|event| event.body));
        prop_assert!(lines.len() <= most);
        for line in lines {
            for (name, value) in &line {
                match name.as_str() {
                    "EventID" => prop_assert!(kinds.contains(&value.as_u64().unwrap())),
                    _ => prop_assert!(value.is_string(), "{name}: {value}"),
                }
            }
        }
    }

    #[test]
    fn no_two_processes_have_one_guid(a: (u32, u64), b: (u32, u64)) {
        let guid = |(pid, key)| {
            let start = start(pid, key, (4, 1), "a");
            told([session(), Body::ProcessStart(start)])[0]["ProcessGuid"].clone()
        };
        prop_assert_eq!(guid(a) == guid(b), a == b);
        prop_assert_eq!(guid(a), guid(a));
    }
}
