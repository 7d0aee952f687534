//! Recordings small enough to read.

use super::*;
use proptest::prelude::*;
use std::io::Write;
use std::path::PathBuf;

/// A file that is gone when the test is.
struct TempFile(PathBuf);

impl TempFile {
    fn new(name: &str, content: &[u8]) -> TempFile {
        let path = std::env::temp_dir().join(format!("nthost-{}-{name}", std::process::id()));
        std::fs::write(&path, content).unwrap();
        TempFile(path)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A GUID of a process created at `second` of the recording's minute.
fn guid(second: u32, key: u16) -> String {
    // 22:27:00 is 0x5f80e3b4.
    let time = 0x5f80_e3b4 + second;
    format!(
        "{{42c2e005-{:04x}-{:04x}-{:04x}-000000000400}}",
        time & 0xffff,
        time >> 16,
        key.swap_bytes()
    )
}

fn event(host: &str, second: u32, id: u32, fields: serde_json::Value) -> String {
    let mut event = serde_json::json!({
        "Channel": "Microsoft-Windows-Sysmon/Operational",
        "Hostname": host,
        "EventID": id,
        "UtcTime": format!("2020-10-09 22:27:{second:02}.000"),
    });
    event
        .as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    event.to_string() + "\n"
}

fn start(second: u32, key: u16, pid: u32, parent: (u16, u32)) -> String {
    event(
        "PC",
        second,
        1,
        serde_json::json!({
            "ProcessGuid": guid(second, key), "ProcessId": pid.to_string(),
            "Image": "C:\\a.exe", "CommandLine": " a -b", "IntegrityLevel": "High",
            "User": "PC\\me", "LogonId": "0x3e7", "TerminalSessionId": "1",
            "ParentProcessGuid": guid(0, parent.0), "ParentProcessId": parent.1.to_string(),
            "ParentImage": "C:\\parent.exe", "ParentCommandLine": "parent",
        }),
    )
}

/// Of a process created at `created`.
fn exit(second: u32, created: u32, key: u16, pid: u32) -> String {
    event(
        "PC",
        second,
        5,
        serde_json::json!({
            "ProcessGuid": guid(created, key), "ProcessId": pid, "Image": "C:\\a.exe",
        }),
    )
}

/// A process opens another; each by GUID, or by zeros, and pid.
fn access(second: u32, source: (Option<String>, u32), target: (Option<String>, u32)) -> String {
    let zeros = || "{00000000-0000-0000-0000-000000000000}".to_owned();
    event(
        "PC",
        second,
        10,
        serde_json::json!({
            "SourceProcessGUID": source.0.unwrap_or_else(zeros),
            "SourceProcessId": source.1.to_string(), "SourceThreadId": "104",
            "TargetProcessGUID": target.0.unwrap_or_else(zeros),
            "TargetProcessId": target.1.to_string(), "GrantedAccess": "0x1010",
        }),
    )
}

/// An image in a process that was created at `second`.
fn load(second: u32, key: u16, pid: Option<u32>, path: &str) -> String {
    let mut fields = serde_json::json!({
        "ProcessGuid": guid(second, key), "Image": "C:\\a.exe", "ImageLoaded": path,
        "Signed": "true", "Signature": "Microsoft Windows",
    });
    if let Some(pid) = pid {
        fields["ProcessId"] = pid.to_string().into();
    }
    event("PC", second, 7, fields)
}

fn open(name: &str, lines: &[String]) -> Result<Recording, ReplayError> {
    let file = TempFile::new(name, lines.concat().as_bytes());
    Recording::open(&file.0, None)
}

/// Steps with pids in place of indices.
fn steps(recording: &Recording) -> Vec<String> {
    let name = |index: usize| {
        let process = &recording.plan.processes[index];
        match process.key {
            Some(key) => format!("{}/{}", process.pid, key & 0xffff),
            None => format!("{}/?", process.pid),
        }
    };
    let step = |(_, step): &(i64, Step)| match step {
        Step::Start(index) => format!("start {}", name(*index)),
        Step::Exit(index) => format!("exit {}", name(*index)),
        Step::Appear(index) => format!("appear {}", name(*index)),
        Step::Load { process, path } => {
            let path = path.as_deref().unwrap_or("(null)");
            format!("load {path} into {}", name(*process))
        }
        Step::RemoteThread {
            source,
            target,
            tid,
            start_address,
        } => {
            let [source, target] = [source, target].map(|index| name(*index));
            format!("{source} starts {tid} at {start_address:x?} in {target}")
        }
        Step::Open {
            source,
            tid,
            target,
            access,
        } => {
            let [source, target] = [source, target].map(|index| name(*index));
            format!("{source} by {tid:?} opens {target} for {access:#x}")
        }
    };
    let before = recording
        .plan
        .before
        .iter()
        .map(|index| format!("before {}", name(*index)));
    before
        .chain(recording.plan.steps.iter().map(step))
        .collect()
}

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
fn one_of_several_hosts_has_to_be_chosen() {
    let other = event(
        "DC",
        1,
        5,
        serde_json::json!({
            "ProcessGuid": guid(0, 2), "ProcessId": 8,
        }),
    );
    let file = TempFile::new(
        "hosts.json",
        (start(1, 9, 100, (7, 50)) + &other).as_bytes(),
    );
    let error = Recording::open(&file.0, None).unwrap_err().to_string();
    assert!(error.contains("choose one with --host: PC, DC"), "{error}");
    let error = Recording::open(&file.0, Some("XP"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("no host XP"), "{error}");
    let recording = Recording::open(&file.0, Some("dc")).unwrap();
    assert_eq!((&*recording.host, recording.plan.steps.len()), ("DC", 1));
}

#[test]
fn a_cut_off_line_is_named() {
    let mut lines = start(1, 9, 100, (7, 50)) + &exit(2, 1, 9, 100);
    lines.truncate(lines.len() - 20);
    let error = open("cut.json", &[lines]).unwrap_err().to_string();
    assert!(
        error.contains("at line 2:") && error.contains("truncated"),
        "{error}"
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

#[test]
fn what_is_no_recording_is_refused_for_what_it_is() {
    for (name, content, reason) in [
        ("empty.json", &b""[..], "it is empty"),
        ("picture.png", b"\x89PNG\r\n", "not an event in JSON"),
        ("other.json", b"{\"EventID\": 1}\n", "no Sysmon events"),
        ("cut.zip", b"PK\x03\x04 and nothing", "truncated or damaged"),
        ("cut.evtx", b"ElfFile\0 and nothing", "truncated or damaged"),
    ] {
        let file = TempFile::new(name, content);
        let error = Recording::open(&file.0, None).unwrap_err().to_string();
        assert!(error.contains(reason) && error.contains(name), "{error}");
    }
    let error = Recording::open(Path::new("no/such.evtx"), None)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("cannot read the recording no/such.evtx"),
        "{error}"
    );
}

#[test]
fn an_archive_is_read_as_what_is_inside() {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    zip.start_file("day/one.json", options).unwrap();
    zip.write_all(start(1, 9, 100, (7, 50)).as_bytes()).unwrap();
    zip.start_file("readme.txt", options).unwrap();
    zip.write_all(b"not a recording").unwrap();
    let file = TempFile::new("days.zip", &zip.finish().unwrap().into_inner());
    let recording = Recording::open(&file.0, None).unwrap();
    assert_eq!(steps(&recording), ["before 50/7", "start 100/9"]);
}

proptest! {
    #[test]
    fn rubbish_is_an_error_and_never_a_crash(
        kind in prop::sample::select(vec![&b""[..], b"{\"EventID\":", b"PK\x03\x04", b"ElfFile\0"]),
        rubbish: Vec<u8>,
    ) {
        let name = format!("rubbish-{:?}", std::thread::current().id());
        let file = TempFile::new(&name, &[kind, &rubbish].concat());
        prop_assert!(Recording::open(&file.0, None).is_err());
    }

    #[test]
    fn every_start_and_exit_of_any_recording_is_played_once_in_file_order(
        events in prop::collection::vec((any::<bool>(), 1u16..20, 101u32..104), 1..60),
    ) {
        let (lines, wanted): (Vec<_>, Vec<_>) = events
            .into_iter()
            .map(|(starts, key, pid)| match starts {
                true => (start(0, key, pid, (99, 50)), format!("start {pid}/{key}")),
                // Whatever pid the exit names, it is its GUID that says who exits.
                false => (exit(1, 0, key, pid), format!("exit /{key}")),
            })
            .unzip();
        let name = format!("any-{:?}.json", std::thread::current().id());
        let played: Vec<String> = steps(&open(&name, &lines).unwrap())
            .into_iter()
            .filter(|step| step.starts_with("start") || step.starts_with("exit"))
            .map(|step| match step.split_once(['/']) {
                Some((exit, key)) if exit.starts_with("exit") => format!("exit /{key}"),
                _ => step,
            })
            .collect();
        prop_assert_eq!(played, wanted);
    }
}
