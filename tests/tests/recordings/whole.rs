//! Every event that ntwatch has a kind for, equal and in file order, on the command line.

use crate::watched;
use libtest_mimic::Failed;
use ntwatch_tests::recording::{Event, Party};
use ntwatch_tests::watcher::Transport;
use serde_json::Value;
use std::collections::HashSet;
use std::path::Path;

pub(super) fn replay(
    path: &Path,
    host: &str,
    recorded: &[Event],
    transport: Transport,
) -> Result<(), Failed> {
    let lines = watched(path, host, "jsonl", transport)?;
    check_schema(&lines)?;
    check_parents(&lines)?;
    // All kinds in one order: that is more than equal multisets, in order for each process.
    let seen: Vec<Seen> = lines.iter().filter_map(Seen::of_line).collect();
    let recorded: Vec<Seen> = recorded.iter().map(Seen::of_recording).collect();
    for (at, (seen, recorded)) in seen.iter().zip(&recorded).enumerate() {
        if !recorded.is_met_by(seen) {
            return Err(format!("event {at}: {seen:?}, not {recorded:?}").into());
        }
    }
    match seen.len() == recorded.len() {
        true => Ok(()),
        false => Err(format!("{} events, not {}", seen.len(), recorded.len()).into()),
    }
}

/// What a line of ntwatch and an event of Sysmon both tell.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    event: &'static str,
    /// The process that it happens to: for a handle or a thread, the target.
    pid: Option<u64>,
    /// The parent, or the process that opens or starts a thread.
    by: Option<u64>,
    /// The process' image, or the image that was mapped.
    path: Option<String>,
    /// Command line and user.
    start: Option<(String, String)>,
    /// Granted access, or thread id and start address.
    numbers: [Option<u64>; 2],
}

impl Seen {
    fn new(event: &'static str, pid: Option<u64>) -> Self {
        Seen {
            event,
            pid,
            by: None,
            path: None,
            start: None,
            numbers: [None; 2],
        }
    }

    fn of_recording(event: &Event) -> Self {
        let image = |party: &Party| party.image.clone();
        match event {
            Event::Start {
                process,
                parent,
                command_line,
                user,
            } => Seen {
                by: parent.pid,
                path: image(process),
                start: Some((command_line.clone(), user.clone())),
                ..Seen::new("process_start", process.pid)
            },
            Event::Exit { process } => Seen {
                path: image(process),
                ..Seen::new("process_exit", process.pid)
            },
            Event::Image { process, path } => Seen {
                path: Some(path.clone()),
                ..Seen::new("image_load", process.pid)
            },
            Event::RemoteThread {
                source,
                target,
                tid,
                start_address,
            } => Seen {
                by: source.pid,
                numbers: [Some(*tid), Some(*start_address)],
                ..Seen::new("thread_start", target.pid)
            },
            Event::Open {
                source,
                tid,
                target,
                granted,
            } => Seen {
                by: source.pid,
                numbers: [Some(*tid), Some(*granted)],
                ..Seen::new("handle_open", target.pid)
            },
        }
    }

    /// `None` for lines that Sysmon has no event for: processes that ran already, threads that
    /// are not remote, and the ends of threads.
    fn of_line(line: &Value) -> Option<Self> {
        let pid = line["process"]["pid"].as_u64();
        let text = |value: &Value| value.as_str().map(Into::into);
        match line["event"].as_str()? {
            "process_start" => Some(Seen {
                by: line["parent"]["pid"].as_u64(),
                path: text(&line["process"]["image"]),
                start: text(&line["process"]["command_line"]).zip(text(&line["process"]["user"])),
                ..Seen::new("process_start", pid)
            }),
            "process_exit" => Some(Seen {
                path: text(&line["process"]["image"]),
                ..Seen::new("process_exit", pid)
            }),
            "image_load" => Some(Seen {
                path: text(&line["image"]["path"]),
                ..Seen::new("image_load", pid)
            }),
            "thread_start" if line["remote"] == true => Some(Seen {
                by: line["creator"]["pid"].as_u64(),
                numbers: [
                    line["thread"]["tid"].as_u64(),
                    hex(&line["thread"]["start_address"]),
                ],
                ..Seen::new("thread_start", pid)
            }),
            "handle_open" => Some(Seen {
                by: line["source"]["pid"].as_u64(),
                numbers: [
                    line["source"]["tid"].as_u64(),
                    line["access"]["granted"].as_u64(),
                ],
                ..Seen::new("handle_open", line["target"]["pid"].as_u64())
            }),
            _ => None,
        }
    }

    /// Is `seen` what was recorded? A pid that the recording does not have may be any.
    fn is_met_by(&self, seen: &Self) -> bool {
        let pid = self.pid.or(seen.pid);
        Seen {
            pid,
            ..self.clone()
        } == *seen
    }
}

/// A number that JSON has as `0x…`.
fn hex(value: &Value) -> Option<u64> {
    u64::from_str_radix(value.as_str()?.strip_prefix("0x")?, 16).ok()
}

/// Every line is of the published schema, and no two have one `seq`.
fn check_schema(lines: &[Value]) -> Result<(), Failed> {
    let schema: Value =
        serde_json::from_str(include_str!("../../../client/schema/ntwatch-1.schema.json"))?;
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
fn check_parents(lines: &[Value]) -> Result<(), Failed> {
    let mut shown = HashSet::new();
    for line in lines {
        let process = &line["process"];
        let is_start = line["event"] == "process_start";
        if is_start {
            let parent = &line["parent"];
            if !shown.contains(&(parent["pid"].clone(), parent["key"].clone())) {
                return Err(format!("a parent that was never shown:\n{line}").into());
            }
        }
        if is_start || line["event"] == "process_running" {
            shown.insert((process["pid"].clone(), process["key"].clone()));
        }
    }
    Ok(())
}
