//! What a Sysmon recording says of process starts and exits, read without nthost's reader.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// A process start (Sysmon event 1) or exit (event 5), as ntwatch should show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Sysmon event 1.
    Start {
        /// Process id; `None` for the rare event in which the exporter has left it out.
        pid: Option<u64>,
        /// Parent process id.
        parent: u64,
        /// DOS path.
        image: String,
        /// Command line.
        command_line: String,
        /// `DOMAIN\name`.
        user: String,
    },
    /// Sysmon event 5.
    Exit {
        /// Process id.
        pid: u64,
        /// DOS path.
        image: String,
    },
}

impl Expected {
    /// Is `seen` what was expected? A pid that the recording does not have may be any.
    #[must_use]
    pub fn is_met_by(&self, seen: &Self) -> bool {
        match (self, seen) {
            (Expected::Start { pid: None, .. }, Expected::Start { .. }) => {
                let mut seen = seen.clone();
                if let Expected::Start { pid, .. } = &mut seen {
                    *pid = None;
                }
                *self == seen
            }
            _ => self == seen,
        }
    }
}

/// Starts and exits in file order, for each host of one recording.
pub type Hosts = BTreeMap<String, Vec<Expected>>;

/// The recordings in the folder that `NTWATCH_RECORDINGS` names. Without it those that stand beside
/// the checkout, which may be none.
///
/// # Panics
/// When a folder was named and cannot be read or holds no recording.
#[must_use]
pub fn all() -> Vec<PathBuf> {
    let Some(folder) = std::env::var_os("NTWATCH_RECORDINGS").map(PathBuf::from) else {
        let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
        return in_folder(&beside).unwrap_or_default();
    };
    let name = folder.display();
    let files = in_folder(&folder).unwrap_or_else(|e| {
        panic!("cannot read the folder `{name}` that NTWATCH_RECORDINGS names: {e}")
    });
    assert!(
        !files.is_empty(),
        "`{name}`, that NTWATCH_RECORDINGS names, holds no .evtx, .json or .zip"
    );
    files
}

fn in_folder(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = std::fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<Vec<_>>>()?;
    files.retain(|path| {
        path.extension()
            .is_some_and(|e| e == "evtx" || e == "zip" || e == "json")
    });
    files.sort();
    Ok(files)
}

/// Reads `.evtx`, JSON lines, or a `.zip` of JSON lines.
///
/// # Panics
/// When the recording cannot be read: tests have nothing to compare with then.
#[must_use]
pub fn read(path: &Path) -> Hosts {
    let mut hosts = Hosts::new();
    let file = File::open(path).expect("the recording opens");
    match path.extension().and_then(|e| e.to_str()) {
        Some("evtx") => {
            for record in evtx::EvtxParser::from_path(path)
                .expect("EVTX")
                .records_json_value()
            {
                add_evtx(&mut hosts, &record.expect("an EVTX record").data["Event"]);
            }
        }
        Some("zip") => {
            let mut archive = zip::ZipArchive::new(file).expect("a zip");
            for i in 0..archive.len() {
                add_lines(&mut hosts, archive.by_index(i).expect("a member"));
            }
        }
        _ => add_lines(&mut hosts, file),
    }
    hosts.retain(|_, events| !events.is_empty());
    hosts
}

fn add_lines(hosts: &mut Hosts, from: impl Read) {
    for line in BufReader::new(from).lines() {
        let event: Value = serde_json::from_str(&line.expect("a line")).expect("a line of JSON");
        if event["Channel"] == "Microsoft-Windows-Sysmon/Operational" {
            let host = event["Hostname"].as_str().expect("a host").to_owned();
            add(hosts, host, event["EventID"].as_u64(), &event);
        }
    }
}

fn add_evtx(hosts: &mut Hosts, event: &Value) {
    let id = &event["System"]["EventID"];
    let host = event["System"]["Computer"]
        .as_str()
        .expect("a host")
        .to_owned();
    add(
        hosts,
        host,
        id.as_u64().or_else(|| id["#text"].as_u64()),
        &event["EventData"],
    );
}

fn add(hosts: &mut Hosts, host: String, id: Option<u64>, data: &Value) {
    let text = |name: &str| data[name].as_str().expect("a string").to_owned();
    let number = |name: &str| {
        let value = &data[name];
        value.as_u64().or_else(|| value.as_str()?.parse().ok())
    };
    let pid = |name: &str| number(name).expect("a pid");
    let expected = match id {
        Some(1) => Expected::Start {
            pid: number("ProcessId"),
            parent: pid("ParentProcessId"),
            image: text("Image"),
            command_line: text("CommandLine"),
            user: text("User"),
        },
        Some(5) => Expected::Exit {
            pid: pid("ProcessId"),
            image: text("Image"),
        },
        _ => return,
    };
    hosts.entry(host).or_default().push(expected);
}
