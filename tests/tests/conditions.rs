//! `ntwatch watch --where`, beside what the same machine shows without it: the same lines, whether
//! the driver left out the others or the client did.

use ntwatch_tests::lab::{Lab, stderr, stdout};
use ntwatch_tests::recording;
use serde_json::Value;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// A condition, and what it means of a line of JSON.
struct Case {
    condition: &'static str,
    means: fn(&Value) -> bool,
    /// Where the driver's filter can do it all: the kinds that it is asked for.
    by_driver: &'static [&'static str],
}

const CASES: [Case; 9] = [
    Case {
        condition: "event == process_exit",
        means: |line| line["event"] == "process_exit",
        by_driver: &["process_exit"],
    },
    Case {
        condition: "event == handle_open and access.granted has terminate|dup_handle",
        means: |line| mask(line, "granted") & 0x1 != 0 || is_granted_dup_handle(line),
        by_driver: &[],
    },
    Case {
        condition: "access.granted has query_limited_information and source.image !~ svchost.exe",
        means: |line| {
            let bit = match line["target"]["type"] == "thread" {
                true => 0x800,
                false => 0x1000,
            };
            let source = line["source"]["image"].as_str();
            mask(line, "granted") & bit != 0
                && source.is_some_and(|image| file_name(image) != "svchost.exe")
        },
        by_driver: &[],
    },
    Case {
        condition: "event == thread_start and remote == true",
        means: |line| line["event"] == "thread_start" && line["remote"] == true,
        by_driver: &[],
    },
    Case {
        condition: r"image.path ~ '*\ntdll.dll' or exit_status == 0",
        means: |line| {
            let path = line["image"]["path"].as_str().unwrap_or_default();
            file_name(path) == "ntdll.dll" || line["exit_status"] == 0
        },
        by_driver: &[],
    },
    Case {
        condition: "process.image ~ cmd.exe and (event == image_load or process.create_time exists)",
        means: |line| {
            let image = line["process"]["image"].as_str().unwrap_or_default();
            let is_file =
                line["event"] == "image_load" || line["process"]["create_time"] != Value::Null;
            file_name(image) == "cmd.exe" && is_file
        },
        by_driver: &["process_start", "process_exit", "image_load"],
    },
    Case {
        condition: "not process.user == 'NT AUTHORITY\\SYSTEM' and process.key exists",
        means: |line| {
            line["process"]["key"].is_string() && line["process"]["user"] != "NT AUTHORITY\\SYSTEM"
        },
        by_driver: &[],
    },
    Case {
        condition: "process.pid in (5000, 4) or target.pid in (5000, 4)",
        means: |line| {
            let pids = ["process", "target"].map(|party| &line[party]["pid"]);
            pids.iter().any(|pid| **pid == 5000 || **pid == 4)
        },
        by_driver: &[],
    },
    Case {
        condition: "target.image ~ lsass.exe and event == handle_open",
        means: |line| {
            let target = line["target"]["image"].as_str().unwrap_or_default();
            file_name(target) == "lsass.exe"
        },
        by_driver: &[],
    },
];

fn mask(line: &Value, which: &str) -> u64 {
    line["access"][which].as_u64().unwrap_or_default()
}

fn is_granted_dup_handle(line: &Value) -> bool {
    line["target"]["type"] == "process" && mask(line, "granted") & 0x40 != 0
}

fn file_name(path: &str) -> String {
    let name = path.rsplit('\\').next().unwrap_or_default();
    name.to_ascii_lowercase()
}

/// What one replay shows, and what is said of it.
struct Seen {
    lines: Vec<Value>,
    said: String,
}

/// The lines about one replay that `ntwatch watch` prints with these words.
fn watch(recording: &Path, host: &str, words: &[&str]) -> Seen {
    let lab = Lab::get();
    let recording = recording.to_str().expect("a path of text");
    let replay = ["--replay", recording, "--host", host];
    let machine = lab.serve([&replay[..], &["--speed", "max", "--exit-when-done"]].concat());
    let mut watch = lab.ntwatch(Some(&machine.device()), ["watch", "--format", "jsonl"]);
    let output = watch.args(words).output().expect("ntwatch runs");
    let said = stderr(&output).to_owned();
    assert!(output.status.success(), "{words:?}: {said}");
    assert!(said.contains("The account balances"), "{words:?}: {said}");
    assert!(said.contains(", 0 lost"), "{words:?}: {said}");
    let (clean, log) = machine.finish();
    assert!(clean, "{log}");
    let lines = stdout(&output).lines();
    let lines = lines
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect();
    Seen { lines, said }
}

/// A line without what may differ: numbers count what came before, those of threads too that the
/// recording does not name.
fn lasting(line: &Value) -> Value {
    let mut line = line.clone();
    line["seq"] = Value::Null;
    for party in PARTIES {
        let Some(party) = line[party].as_object_mut() else {
            continue;
        };
        if party.get("tid").and_then(Value::as_u64) >= Some(MADE_UP) {
            party.remove("tid");
        }
    }
    line
}

/// The keys of processes that begin or end while the machine is watched.
fn comers_and_goers(lines: &[Value]) -> HashSet<&str> {
    let passing =
        |line: &&Value| line["event"] == "process_start" || line["event"] == "process_exit";
    let keys = lines.iter().filter(passing);
    keys.filter_map(|line| line["process"]["key"].as_str())
        .collect()
}

/// Leaves out of both lines the image of such a process that one of them does not know: where no
/// start was sent before, the name is Windows', which knows it from when the process begins until it
/// is gone.
fn leave_unknown_images(a: &mut Value, b: &mut Value, passing: &HashSet<&str>) {
    for party in PARTIES {
        let is_passing = a[party]["key"]
            .as_str()
            .is_some_and(|key| passing.contains(key));
        if is_passing && (a[party]["image"].is_null() || b[party]["image"].is_null()) {
            for line in [&mut *a, &mut *b] {
                if let Some(party) = line[party].as_object_mut() {
                    party.remove("image");
                }
            }
        }
    }
}

const PARTIES: [&str; 5] = ["parent", "thread", "creator", "source", "target"];

/// nthost's own threads are numbered from here.
const MADE_UP: u64 = 1 << 30;

/// How many events the account says that the driver has filtered.
fn filtered(said: &str) -> u64 {
    let columns = said
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let rows = columns.filter(|row| row.len() == 9 && row[1].parse::<u64>().is_ok());
    rows.map(|row| row[6].parse::<u64>().expect("a number"))
        .sum()
}

fn check(recording: &Path, host: &str) {
    let whole = watch(recording, host, &["--access", "all"]);
    let passing = comers_and_goers(&whole.lines);
    for Case {
        condition,
        means,
        by_driver,
    } in CASES
    {
        let of_stream = |line: &&Value| line["event"] == "session" || means(line);
        let expected = whole.lines.iter().filter(of_stream);
        // `--access` only where the condition says nothing of rights.
        let more: &[&str] = match condition.contains("access.") {
            true => &[],
            false => &["--access", "all"],
        };
        let seen = watch(recording, host, &[&["--where", condition], more].concat());
        let mut lines: Vec<_> = seen.lines.iter().map(lasting).collect();
        let mut expected: Vec<_> = expected.map(lasting).collect();
        for (line, expected) in lines.iter_mut().zip(&mut expected) {
            leave_unknown_images(line, expected, &passing);
        }
        assert_eq!(lines, expected, "{host}, {condition}: {}", seen.said);
        assert!(seen.said.contains("\nthe driver sent: "), "{}", seen.said);
        if by_driver.is_empty() {
            continue;
        }
        let of_kinds = |line: &&Value| by_driver.iter().any(|kind| line["event"] == *kind);
        let [offered, shown] =
            [&whole, &seen].map(|seen| seen.lines.iter().filter(of_kinds).count());
        assert_eq!(
            filtered(&seen.said),
            (offered - shown) as u64,
            "{}",
            seen.said
        );
        assert!(seen.said.contains("\nntwatch left out 0 "), "{}", seen.said);
    }
}

#[test]
fn a_condition_shows_of_a_replay_what_it_says_and_no_less() {
    let ours = PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/two-hosts.json"
    ));
    // One of those that others made, as there are ten replays of each host.
    let recordings = recording::all();
    let size = |path: &&PathBuf| path.metadata().map_or(u64::MAX, |data| data.len());
    let smallest = recordings.iter().min_by_key(size);
    if smallest.is_none() {
        eprintln!("recordings are absent: only our own is replayed");
    }
    for path in smallest.into_iter().chain([&ours]) {
        for host in recording::read(path).into_keys() {
            check(path, &host);
        }
    }
}
