//! Sysmon recordings, replayed through the shipped driver, are seen by the real client event
//! for event.

use libtest_mimic::{Arguments, Failed, Trial};
use ntwatch_tests::lab::{Lab, stderr, stdout};
use ntwatch_tests::recording::{self, Expected};
use serde_json::Value;
use std::collections::HashSet;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// A recording of our own making, so that there is always one: two hosts that share pids,
/// processes that are spoken of but never start, a pid that is used again, an exit without a
/// start, and an event of another channel.
const TWO_HOSTS: &str = include_str!("fixtures/two-hosts.json");

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let dir = tempfile::tempdir().expect("a directory for the recordings");
    let mut trials = Vec::new();
    for path in [plain(dir.path()), zipped(dir.path())] {
        let of_this = trials_of(&path);
        assert_eq!(of_this.len(), 2, "{} has two hosts", path.display());
        trials.extend(of_this);
    }
    let recordings = recording::all();
    trials.extend(recordings.iter().flat_map(|path| trials_of(path)));
    if recordings.is_empty() {
        eprintln!("recordings are absent: set NTWATCH_RECORDINGS to a folder of Sysmon recordings");
        let absent = Trial::test("recordings_are_seen_whole (recordings absent)", || Ok(()));
        trials.push(absent.with_ignored_flag(true));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn plain(dir: &Path) -> PathBuf {
    let path = dir.join("two-hosts.json");
    std::fs::write(&path, TWO_HOSTS).expect("a file");
    path
}

fn zipped(dir: &Path) -> PathBuf {
    let path = dir.join("two-hosts.zip");
    let mut zip = ZipWriter::new(File::create(&path).expect("a file"));
    zip.start_file("two-hosts.json", SimpleFileOptions::default())
        .expect("a member");
    zip.write_all(TWO_HOSTS.as_bytes()).expect("a member");
    zip.finish().expect("a zip");
    path
}

/// One for each host.
fn trials_of(path: &Path) -> Vec<Trial> {
    let name = path.file_name().expect("a file").to_string_lossy();
    let hosts = recording::read(path).into_iter();
    let trial = |(host, expected): (String, Vec<Expected>)| {
        let path = path.to_owned();
        Trial::test(format!("{name}_on_{host}_is_seen_whole"), move || {
            replay(&path, &host, &expected)
        })
    };
    hosts.map(trial).collect()
}

fn replay(path: &Path, host: &str, expected: &[Expected]) -> Result<(), Failed> {
    let lab = Lab::get();
    let path = path.to_str().ok_or("a recording's path that is no UTF-8")?;
    let machine = lab.serve([
        "--replay",
        path,
        "--host",
        host,
        "--speed",
        "max",
        "--exit-when-done",
    ]);
    let device = machine.device();
    let watch = lab
        .ntwatch(
            Some(&device),
            ["watch", "--format", "jsonl", "--fail-on-loss"],
        )
        .output()
        .map_err(|e| format!("ntwatch does not run: {e}"))?;
    let (clean, log) = machine.finish();
    if !watch.status.success() || !clean {
        return Err(format!(
            "ntwatch: {}\n{}\nnthost:\n{log}",
            watch.status,
            stderr(&watch)
        )
        .into());
    }

    let lines: Vec<Value> = stdout(&watch)
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    check_schema(&lines)?;
    let seen: Vec<Expected> = lines.iter().filter_map(event).collect();
    let differs = seen
        .iter()
        .zip(expected)
        .position(|(seen, expected)| !expected.is_met_by(seen));
    if let Some(at) = differs {
        return Err(format!("event {at}: {:?}, not {:?}", seen[at], expected[at]).into());
    }
    if seen.len() != expected.len() {
        return Err(format!("{} events, not {}", seen.len(), expected.len()).into());
    }
    check_parents(&lines, &seen)
}

/// A line as the recording has it; `None` for lines that are no start and no exit.
fn event(line: &Value) -> Option<Expected> {
    let process = &line["process"];
    let pid = process["pid"].as_u64()?;
    let text = |value: &Value| value.as_str().unwrap_or("(null)").to_owned();
    match line["event"].as_str()? {
        "process_start" => Some(Expected::Start {
            pid: Some(pid),
            parent: line["parent"]["pid"].as_u64()?,
            image: text(&process["image"]),
            command_line: text(&process["command_line"]),
            user: text(&process["user"]),
        }),
        "process_exit" => Some(Expected::Exit {
            pid,
            image: text(&process["image"]),
        }),
        _ => None,
    }
}

/// Every line is of the published schema, and no two have one `seq`.
fn check_schema(lines: &[Value]) -> Result<(), Failed> {
    let schema: Value =
        serde_json::from_str(include_str!("../../client/schema/ntwatch-1.schema.json"))?;
    let schema = jsonschema::validator_for(&schema)?;
    let mut numbers = HashSet::new();
    for line in lines {
        if let Err(error) = schema.validate(line) {
            return Err(format!("{line}\nis not of the schema: {error}").into());
        }
        if !numbers.insert(line["seq"].as_u64()) {
            return Err(format!("{line}\nhas a number that another has").into());
        }
    }
    if lines.first().is_none_or(|line| line["event"] != "session") {
        return Err("the first line is not the session".into());
    }
    Ok(())
}

/// Every parent is a process that the stream has shown before, with the name it had there.
fn check_parents(lines: &[Value], seen: &[Expected]) -> Result<(), Failed> {
    let mut shown = HashSet::new();
    let mut starts = 0;
    for line in lines {
        let process = &line["process"];
        match line["event"].as_str() {
            Some("process_running") => {
                shown.insert((process["pid"].clone(), process["key"].clone()));
            }
            Some("process_start") => {
                let parent = &line["parent"];
                if !shown.contains(&(parent["pid"].clone(), parent["key"].clone())) {
                    return Err(format!("a parent that was never shown:\n{line}").into());
                }
                shown.insert((process["pid"].clone(), process["key"].clone()));
                starts += 1;
            }
            _ => {}
        }
    }
    let expected = seen
        .iter()
        .filter(|e| matches!(e, Expected::Start { .. }))
        .count();
    if starts != expected {
        return Err(format!("{starts} starts with a key, not {expected}").into());
    }
    Ok(())
}
