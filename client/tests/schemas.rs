//! Events in the schemas of others: ECS and OCSF. `lab/judges` has their own lists of fields look
//! at every line of a recording.

#[path = "common/events.rs"]
mod events;

use ntwatch_client::format::{Ecs, Lines, Ocsf};
use ntwatch_client::time::Time;
use ntwatch_client::{Event, Field, field};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::process::Command;

/// A stream with an event of each kind that the schemas tell apart.
const STREAM: &str = include_str!("common/kinds.jsonl");

fn line(lines: &mut impl Lines, event: &Event) -> Value {
    let mut text = Vec::new();
    lines.event(event, &mut text);
    assert_eq!(text.pop(), Some(b'\n'));
    serde_json::from_slice(&text).unwrap()
}

/// What the stream becomes.
fn stream(mut lines: impl Lines) -> Vec<Value> {
    let events = STREAM.lines().map(|text| Event::from_json(text).unwrap());
    events.map(|event| line(&mut lines, &event)).collect()
}

/// Says nothing where nothing is known; an argument may be empty.
fn assert_nothing_is_empty(value: &Value) {
    match value {
        Value::Null => panic!("null"),
        Value::Object(object) => {
            assert!(!object.is_empty(), "an empty object");
            let objects = object.iter().filter(|(name, _)| *name != "args");
            objects.for_each(|(_, value)| assert_nothing_is_empty(value));
        }
        Value::Array(values) => {
            assert!(!values.is_empty(), "an empty list");
            values.iter().for_each(assert_nothing_is_empty);
        }
        Value::String(text) => assert!(!text.is_empty(), "an empty text"),
        Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The leaves of a line, as text.
fn leaves(value: &Value, found: &mut HashSet<String>) {
    match value {
        Value::Object(object) => object.values().for_each(|inner| leaves(inner, found)),
        Value::Array(values) => values.iter().for_each(|inner| leaves(inner, found)),
        Value::String(text) => drop(found.insert(text.clone())),
        other => drop(found.insert(other.to_string())),
    }
}

/// Is the fact in the line, in one of the forms that the schemas have for it?
fn is_told(name: &str, fact: &field::Value<'_>, told: &HashSet<String>) -> bool {
    let has = |text: String| text.is_empty() || told.contains(&text);
    match fact {
        field::Value::Number(number) => has(number.to_string()) || has(format!("{number:#x}")),
        // In the names of processes its bytes lie as in memory.
        field::Value::Hex(key) if name.ends_with(".key") => {
            let bytes = format!("{:016x}", key.swap_bytes());
            let is_of = |text: &String| text.replace('-', "").contains(&bytes);
            has(fact.to_string()) || told.iter().any(is_of)
        }
        field::Value::Time(Time(ticks)) => {
            let milliseconds = (ticks - 116_444_736_000_000_000).div_euclid(10_000);
            has(fact.to_string()) || has(milliseconds.to_string())
        }
        field::Value::Counts(counts) => counts.iter().all(|(_, count)| has(count.to_string())),
        field::Value::Text(text) => match name {
            "process.command_line" => has(text.trim_end_matches('\0').replace('\0', " ")),
            "process.user" => {
                let parts = text.split_once('\\').filter(|(_, name)| !name.is_empty());
                let (domain, name) = parts.unwrap_or(("", text));
                has(domain.to_owned()) && has(name.to_owned())
            }
            // By its caption.
            "process.integrity" => told.iter().any(|it| it.eq_ignore_ascii_case(text)),
            _ => has(text.clone().into_owned()),
        },
        field::Value::Hex(_) | field::Value::Bool(_) => has(fact.to_string()),
    }
}

proptest! {
    #[test]
    fn no_fact_of_any_event_is_left_out(event in events::event()) {
        for line in [line(&mut Ecs::default(), &event), line(&mut Ocsf::default(), &event)] {
            let mut told = HashSet::new();
            leaves(&line, &mut told);
            for field in Field::all() {
                if let Some(fact) = field.of(&event) {
                    prop_assert!(is_told(field.name, &fact, &told), "{field:?} {fact} of {line:#}");
                }
            }
        }
    }

    #[test]
    fn any_event_is_a_line_of_ecs_with_labels_as_text(event in events::event()) {
        let line = line(&mut Ecs::default(), &event);
        assert_nothing_is_empty(&line);
        prop_assert_eq!(&line["event"]["code"], event.body.name());
        prop_assert_eq!(&line["@timestamp"], &json!(event.time));
        for label in line["labels"].as_object().into_iter().flat_map(|it| it.values()) {
            prop_assert!(label.is_string(), "{label}");
        }
    }

    #[test]
    fn any_event_is_a_line_of_ocsf_with_the_type_of_class_and_activity(event in events::event()) {
        let line = line(&mut Ocsf::default(), &event);
        assert_nothing_is_empty(&line);
        let number = |name: &str| line[name].as_u64().unwrap();
        prop_assert_eq!(number("type_uid"), number("class_uid") * 100 + number("activity_id"));
        prop_assert!(line["time"].is_i64());
        prop_assert_eq!(&line["unmapped"]["time"], &json!(event.time));
    }
}

#[test]
fn each_kind_of_event_has_its_category_in_ecs() {
    let lines = stream(Ecs::default());
    let classes: Vec<_> = lines
        .iter()
        .map(|line| {
            let event = &line["event"];
            let word = |name: &str| event[name].as_str().unwrap_or("-");
            let first = |name: &str| event[name][0].as_str().unwrap_or("-");
            let (category, kind) = (first("category"), first("type"));
            format!("{} {category} {kind} {}", word("kind"), word("action"))
        })
        .collect();
    assert_eq!(
        classes,
        [
            "event host info session",
            "event process info already_running",
            "event process start start",
            "event process change thread_start",
            "event process change remote_thread",
            "event process change thread_exit",
            "event library start load",
            "event driver start load",
            "event process access handle_open",
            "event process access handle_open",
            "event process end end",
            "pipeline_error - - lost",
            "event process start start",
            "event driver start load",
        ]
    );
}

#[test]
fn each_kind_of_event_has_its_class_in_ocsf() {
    let lines = stream(Ocsf::default());
    let classes: Vec<_> = lines
        .iter()
        .map(|line| {
            let activity = line["activity_name"].as_str().unwrap();
            format!("{} {activity}", line["type_uid"])
        })
        .collect();
    assert_eq!(
        classes,
        [
            "100806 Start",
            "504001 Query",
            "100701 Launch",
            "100799 Start Thread",
            "100704 Inject",
            "100799 Exit Thread",
            "100501 Load",
            "100201 Load",
            "100703 Open",
            "100799 Open Thread",
            "100702 Terminate",
            "100899 Lose Events",
            "100701 Launch",
            "100201 Load",
        ]
    );
}

#[test]
fn a_start_tells_in_ecs_all_that_is_known_of_process_and_parent() {
    let line = &stream(Ecs::default())[2];
    assert_eq!(
        *line,
        json!({
            "@timestamp": "2026-11-22T03:00:01.0000001Z",
            "agent": {"type": "ntwatch", "version": "0.1.0"},
            "ecs": {"version": "9.4.0"},
            "event": {
                "kind": "event",
                "category": ["process"],
                "type": ["start"],
                "action": "start",
                "outcome": "success",
                "code": "process_start",
                "sequence": 4_294_967_296u64,
                "dataset": "ntwatch.process",
                "module": "ntwatch",
                "provider": "ntwatch",
            },
            "host": {
                "hostname": "DESK.lab.example",
                "name": "desk.lab.example",
                "os": {"type": "windows", "family": "windows", "platform": "windows"},
            },
            "labels": {
                "creator_image": r"C:\Windows\explorer.exe",
                "creator_key": "0x4000000000001",
                "creator_pid": "900",
                "creator_tid": "904",
                "process_image_exact": "true",
                "process_integrity": "system",
                "process_logon_id": "0x3e7",
                "process_session": "1",
                "process_subsystem": "win32",
                "process_wow64": "false",
            },
            "process": {
                "pid": 4711,
                "entity_id": line["process"]["entity_id"],
                "executable": r"C:\Windows\System32\cmd.exe",
                "name": "cmd.exe",
                "command_line": r#""C:\Windows\System32\cmd.exe" /c "echo a""#,
                "args": [r"C:\Windows\System32\cmd.exe", "/c", "echo a"],
                "args_count": 3,
                "start": "2026-11-22T03:00:01.0000000Z",
                "hash": {"sha256": "00ff"},
                "parent": {
                    "pid": 900,
                    "entity_id": line["process"]["parent"]["entity_id"],
                    "executable": r"C:\Windows\explorer.exe",
                    "name": "explorer.exe",
                    "command_line": "explorer",
                    "user": {"name": "ann"},
                },
            },
            "related": {"user": ["SYSTEM"], "hash": ["00ff"]},
            "user": {"domain": "NT AUTHORITY", "name": "SYSTEM"},
        })
    );
}

#[test]
fn who_acts_is_the_process_and_whom_it_befalls_the_target() {
    let ecs = stream(Ecs::default());
    let ocsf = stream(Ocsf::default());
    let [actor, target] = [
        &ecs[2]["process"]["entity_id"],
        &ecs[1]["process"]["entity_id"],
    ];
    assert_ne!(actor, target);
    // A remote thread, and two handles.
    for (number, tid) in [(4, Some(908)), (8, None), (9, Some(908))] {
        let (line, labels) = (&ecs[number], &ecs[number]["labels"]);
        assert_eq!(&line["process"]["entity_id"], actor);
        assert_eq!(line["process"]["thread"]["id"], 4713);
        assert_eq!(line["user"]["name"], "SYSTEM");
        assert_eq!(&labels["target_entity_id"], target);
        assert_eq!(labels["target_pid"], "900");
        assert_eq!(labels["target_tid"].as_str(), tid.map(|_| "908"));

        let line = &ocsf[number];
        assert_eq!(&line["actor"]["process"]["uid"], actor);
        assert_eq!(line["actor"]["process"]["ptid"], 4713);
        assert_eq!(line["actor"]["user"]["name"], "SYSTEM");
        assert_eq!(&line["process"]["uid"], target);
        assert_eq!(line["process"]["ptid"].as_i64(), tid);
    }
}

#[test]
fn a_refused_handle_is_a_failure_with_its_status() {
    let line = &stream(Ecs::default())[8];
    assert_eq!(line["event"]["outcome"], "failure");
    assert_eq!(line["error"]["code"], "0xc0000022");
    assert_eq!(line["labels"]["access_original"], "0x1fffff");

    let line = &stream(Ocsf::default())[8];
    assert_eq!(line["status_id"], 2);
    assert_eq!(line["status_code"], "0xc0000022");
    assert_eq!(line["requested_permissions"], 0x1f_ffff);
    assert_eq!(line["unmapped"]["access"], json!({"desired": 16}));
}

#[test]
fn what_is_lost_is_counted_in_both() {
    let line = stream(Ecs::default()).swap_remove(11);
    assert_eq!(line["labels"]["lost_handle_open"], "4");
    let message = line["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("7 events were lost"), "{message}");

    let line = stream(Ocsf::default()).swap_remove(11);
    assert_eq!(line["count"], 7);
    assert_eq!(
        line["unmapped"]["lost"],
        json!({"image_load": 3, "handle_open": 4})
    );
}

#[test]
fn arguments_of_wsl_are_those_that_were_passed() {
    let line = &stream(Ecs::default())[12];
    assert_eq!(line["process"]["args"], json!(["ls", "-l", "my file"]));
    assert_eq!(line["process"]["command_line"], "ls -l my file");
    assert_eq!(line["process"]["name"], "ls");
    assert_eq!(line["user"], json!({"id": "S-1-5-21-1-2-3-1001"}));
    let line = &stream(Ocsf::default())[12];
    assert_eq!(line["process"]["cmd_line"], "ls -l my file");
    assert_eq!(
        line["process"]["user"],
        json!({"uid": "S-1-5-21-1-2-3-1001"})
    );
    assert_eq!(line["process"]["integrity_id"], 99);
}

#[test]
fn facts_of_ntwatch_s_are_not_chosen_where_others_name_the_fields() {
    let kinds = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/kinds.jsonl");
    for format in ["ecs", "ocsf", "sysmon"] {
        let mut show = Command::new(env!("CARGO_BIN_EXE_ntwatch"));
        let arguments = ["show", kinds, "--fields", "seq", "--format", format];
        let output = show.args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{format}");
        assert!(output.stdout.is_empty(), "{format}");
        let why = String::from_utf8(output.stderr).unwrap();
        assert!(why.contains("fields of its own"), "{why}");
    }
}
