//! Who does what, in which order.

use super::*;
use proptest::prelude::*;
use std::collections::HashSet;

#[test]
fn a_start_carries_what_sysmon_recorded() {
    let recording = open("start.json", &[start(1, 9, 100, (7, 50))]).unwrap();
    assert_eq!(recording.host, "PC");
    assert_eq!(steps(&recording), ["before 50/7", "start 100/9"]);
    let Plan {
        processes, begin, ..
    } = &recording.plan;
    assert_eq!(processes[0].image.as_deref(), Some("C:\\parent.exe"));
    assert_eq!(processes[0].command_line.as_deref(), Some("parent"));
    assert_eq!(processes[0].integrity, None);
    assert_eq!(
        processes[1],
        Process {
            pid: 100,
            key: Some(4 << 48 | 9),
            create_time: *begin,
            image: Some("C:\\a.exe".into()),
            command_line: Some(" a -b".into()),
            parent_pid: Some(50),
            parent: Some(0),
            user: Some("PC\\me".into()),
            logon_id: Some(0x3e7),
            session: Some(1),
            integrity: Some(0x3000),
        }
    );
}

#[test]
fn a_process_that_only_exits_was_there_before() {
    let recording = open("exit.json", &[start(1, 9, 100, (7, 50)), exit(2, 0, 3, 60)]).unwrap();
    assert_eq!(
        steps(&recording),
        ["before 50/7", "before 60/3", "start 100/9", "exit 60/3"]
    );
}

#[test]
fn a_reused_pid_is_another_process() {
    let lines = [
        start(1, 9, 100, (7, 50)),
        exit(2, 1, 9, 100),
        start(3, 10, 100, (7, 50)),
        exit(4, 3, 10, 100),
    ];
    let expected = [
        "before 50/7",
        "start 100/9",
        "exit 100/9",
        "start 100/10",
        "exit 100/10",
    ];
    assert_eq!(steps(&open("reuse.json", &lines).unwrap()), expected);
}

#[test]
fn a_process_without_a_start_whose_pid_was_taken_appears_when_it_is_spoken_of() {
    let lines = [
        start(1, 9, 100, (7, 50)),
        access(3, (Some(guid(2, 11)), 100), (Some(guid(0, 7)), 50)),
    ];
    let expected = [
        "before 50/7",
        "start 100/9",
        "appear 100/11",
        "100/11 by Some(104) opens 50/7 for 0x1010",
    ];
    assert_eq!(steps(&open("appear.json", &lines).unwrap()), expected);
}

#[test]
fn a_process_that_is_opened_before_its_start_is_there_and_not_told_of() {
    let lines = [
        access(1, (Some(guid(0, 7)), 50), (Some(guid(1, 9)), 100)),
        start(1, 9, 100, (7, 50)),
    ];
    let expected = [
        "before 50/7",
        "appear 100/9",
        "50/7 by Some(104) opens 100/9 for 0x1010",
        "start 100/9",
    ];
    assert_eq!(steps(&open("early.json", &lines).unwrap()), expected);
}

#[test]
fn a_process_that_is_only_spoken_of_before_its_start_was_not_there_before() {
    let file = serde_json::json!({
        "ProcessGuid": guid(1, 9), "ProcessId": "100", "Image": "C:\\a.exe",
    });
    let lines = [event("PC", 1, 11, file), start(1, 9, 100, (7, 50))];
    let expected = ["before 50/7", "start 100/9"];
    assert_eq!(steps(&open("spoken.json", &lines).unwrap()), expected);
}

#[test]
fn what_a_process_does_after_its_exit_is_done_by_it() {
    let lines = [
        start(1, 9, 100, (7, 50)),
        exit(2, 1, 9, 100),
        start(3, 10, 100, (7, 50)),
        load(1, 9, Some(100), "C:\\late.dll"),
        access(1, (Some(guid(0, 7)), 50), (Some(guid(1, 9)), 100)),
    ];
    let expected = [
        "before 50/7",
        "start 100/9",
        "exit 100/9",
        "start 100/10",
        "load C:\\late.dll into 100/9",
        "50/7 by Some(104) opens 100/9 for 0x1010",
    ];
    assert_eq!(steps(&open("late.json", &lines).unwrap()), expected);
}

#[test]
fn a_process_without_a_guid_is_the_newest_that_had_its_pid_or_the_next_that_has() {
    let nobody = || (None, 100);
    let lines = [
        access(0, (Some(guid(0, 7)), 50), (None, 200)),
        start(1, 9, 100, (7, 50)),
        access(1, (Some(guid(0, 7)), 50), nobody()),
        exit(2, 1, 9, 100),
        start(3, 10, 100, (7, 50)),
        access(3, (Some(guid(0, 7)), 50), nobody()),
        start(4, 11, 200, (7, 50)),
        access(4, (Some(guid(0, 7)), 50), (None, 300)),
    ];
    let recording = open("zeros.json", &lines).unwrap();
    let opens: Vec<String> = steps(&recording)
        .into_iter()
        .filter(|step| step.contains("opens"))
        .collect();
    assert_eq!(
        opens,
        ["200/11", "100/9", "100/10", "300/?"]
            .map(|target| format!("50/7 by Some(104) opens {target} for 0x1010"))
    );
}

#[test]
fn a_remote_thread_carries_what_sysmon_recorded() {
    let thread = serde_json::json!({
        "SourceProcessGuid": guid(0, 7), "SourceProcessId": "50",
        "TargetProcessGuid": guid(1, 9), "TargetProcessId": "100",
        "TargetImage": "&lt;unknown process&gt;", "NewThreadId": "204",
        "StartAddress": "0x00007FF89C865EA0", "StartModule": "-",
    });
    let lines = [start(1, 9, 100, (7, 50)), event("PC", 2, 8, thread)];
    let expected = [
        "before 50/7",
        "start 100/9",
        "50/7 starts 204 at Some(7ff89c865ea0) in 100/9",
    ];
    assert_eq!(steps(&open("remote.json", &lines).unwrap()), expected);
}

#[test]
fn an_image_keeps_its_path_and_finds_its_process_without_a_pid() {
    let lines = [
        load(1, 9, None, "C:\\Windows\\größe.dll"),
        start(1, 9, 100, (7, 50)),
        load(1, 9, Some(100), "-"),
    ];
    let expected = [
        "before 50/7",
        "appear 100/9",
        "load C:\\Windows\\größe.dll into 100/9",
        "start 100/9",
        "load (null) into 100/9",
    ];
    assert_eq!(steps(&open("image.json", &lines).unwrap()), expected);
}

#[test]
fn what_cannot_be_acted_out_is_left_out_and_said() {
    let lame = |field| {
        let line = access(1, (Some(guid(0, 7)), 50), (Some(guid(0, 8)), 60));
        let mut line: serde_json::Value = serde_json::from_str(&line).unwrap();
        line.as_object_mut().unwrap().remove(field);
        line.to_string() + "\n"
    };
    let lines = [
        start(1, 9, 100, (7, 50)),
        lame("GrantedAccess"),
        lame("GrantedAccess"),
        load(1, 12, None, "C:\\whose.dll"),
        access(1, (None, 0), (Some(guid(0, 8)), 60)),
    ];
    let recording = open("lame-acts.json", &lines).unwrap();
    let said: Vec<String> = recording
        .plan
        .left_out
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        said,
        [
            "left out: 2 events 10 without GrantedAccess, the first at line 2",
            "left out: 1 events 10 without SourceProcessGUID, the first at line 5",
            "left out: 1 events 7 without ProcessId, the first at line 4",
        ]
    );
}

#[test]
fn file_order_holds_even_where_an_exit_comes_before_its_start() {
    let recording = open(
        "order.json",
        &[exit(2, 1, 9, 100), start(1, 9, 100, (7, 50))],
    )
    .unwrap();
    assert_eq!(
        steps(&recording),
        ["before 100/9", "before 50/7", "exit 100/9", "start 100/9"]
    );
}

#[test]
fn a_process_whose_pid_is_nowhere_is_named() {
    let lame = event("PC", 1, 5, serde_json::json!({ "ProcessGuid": guid(0, 2) }));
    let error = open("lame.json", &[lame]).unwrap_err().to_string();
    assert!(error.contains("without ProcessId at line 1"), "{error}");
}

#[test]
fn a_pid_that_one_event_lacks_is_taken_from_another() {
    let mut lame: serde_json::Value = serde_json::from_str(&start(1, 9, 100, (7, 50))).unwrap();
    lame.as_object_mut().unwrap().remove("ProcessId");
    let lame = lame.to_string() + "\n";
    let recording = open("lacks.json", &[lame, exit(2, 1, 9, 100)]).unwrap();
    assert_eq!(
        steps(&recording),
        ["before 50/7", "start 100/9", "exit 100/9"]
    );
}

proptest! {
    #[test]
    fn every_event_of_any_recording_is_played_once_in_file_order_by_processes_that_are_there(
        events in prop::collection::vec((0u32..4, 1u16..20, 101u32..104), 1..60),
    ) {
        let (lines, wanted): (Vec<_>, Vec<_>) = events
            .into_iter()
            .map(|(kind, key, pid)| match kind {
                0 => (start(0, key, pid, (99, 50)), format!("start {pid}/{key}")),
                // Whatever pid the others name, it is the GUID that says who is meant.
                1 => (exit(1, 0, key, pid), format!("exit {key}")),
                2 => (load(0, key, Some(pid), "C:\\a.dll"), format!("load {key}")),
                _ => {
                    let target = (Some(guid(0, key)), pid);
                    let line = access(1, (Some(guid(0, 99)), 50), target);
                    (line, format!("open {key}"))
                }
            })
            .unzip();
        let name = format!("any-{:?}.json", std::thread::current().id());
        let recording = open(&name, &lines).unwrap();
        let mut there: HashSet<usize> = recording.plan.before.iter().copied().collect();
        let mut played = Vec::new();
        let texts = steps(&recording).split_off(recording.plan.before.len());
        for ((_, step), text) in recording.plan.steps.iter().zip(texts) {
            for index in step.parties() {
                prop_assert!(there.contains(&index), "{text} without one of them");
            }
            let key = |index: &usize| recording.plan.processes[*index].key.unwrap() & 0xffff;
            match step {
                Step::Appear(index) => {
                    there.insert(*index);
                }
                Step::Start(index) => {
                    there.insert(*index);
                    played.push(text);
                }
                Step::Exit(index) => played.push(format!("exit {}", key(index))),
                Step::Load { process, .. } => played.push(format!("load {}", key(process))),
                Step::Open { target, .. } => played.push(format!("open {}", key(target))),
                Step::RemoteThread { .. } => prop_assert!(false, "none was recorded"),
            }
        }
        prop_assert_eq!(played, wanted);
    }
}
