//! What a Sysmon recording says, read without nthost's reader.

use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// A process as an event names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// Never used again, unlike the pid. In lower case, without braces. Where Sysmon gave none:
    /// that of the process that has the pid, or else is the next to have it.
    pub guid: String,
    /// Process id; `None` for the rare event in which the exporter has left it out.
    pub pid: Option<u64>,
    /// DOS path; `None` where Sysmon could not tell.
    pub image: Option<String>,
}

/// An event of a kind that ntwatch has too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Sysmon event 1.
    Start {
        /// The new process.
        process: Party,
        /// Its parent.
        parent: Party,
        /// Command line.
        command_line: String,
        /// `DOMAIN\name`.
        user: String,
    },
    /// Sysmon event 5.
    Exit {
        /// The process.
        process: Party,
    },
    /// Sysmon event 7.
    Image {
        /// The process that it was mapped into.
        process: Party,
        /// DOS path of the image.
        path: String,
    },
    /// Sysmon event 8.
    RemoteThread {
        /// The process that started it.
        source: Party,
        /// The process that it runs in.
        target: Party,
        /// Thread id.
        tid: u64,
        /// Where it begins.
        start_address: u64,
    },
    /// Sysmon event 10.
    Open {
        /// The process that opens.
        source: Party,
        /// The thread that opens.
        tid: u64,
        /// The process that is opened.
        target: Party,
        /// Access mask.
        granted: u64,
    },
}

impl Event {
    /// The processes that it is about, as a filter of ntwatch sees it.
    #[must_use]
    pub fn about(&self) -> Vec<&Party> {
        match self {
            Event::Start { process, .. } | Event::Exit { process } => vec![process],
            Event::Image { process, .. } => vec![process],
            Event::RemoteThread { source, target, .. } | Event::Open { source, target, .. } => {
                vec![source, target]
            }
        }
    }

    fn about_mut(&mut self) -> Vec<&mut Party> {
        match self {
            Event::Start { process, .. } | Event::Exit { process } => vec![process],
            Event::Image { process, .. } => vec![process],
            Event::RemoteThread { source, target, .. } | Event::Open { source, target, .. } => {
                vec![source, target]
            }
        }
    }
}

/// What Sysmon told, in file order, for each host of one recording.
pub type Hosts = BTreeMap<String, Vec<Told>>;

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

/// An event of a kind that ntwatch has too, as Sysmon told it.
#[derive(Clone, Debug)]
pub struct Told {
    /// Sysmon's number for it.
    pub id: u64,
    /// Its fields by name; a collector may have added some.
    pub data: Value,
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
    hosts
}

/// What a host's events say of what ntwatch has too.
///
/// # Panics
/// When one of them does not say it.
#[must_use]
pub fn events(told: &[Told]) -> Vec<Event> {
    let mut events = told.iter().map(event).collect::<Vec<_>>();
    identify(&mut events);
    events
}

const NO_GUID: &str = "00000000-0000-0000-0000-000000000000";

/// Finds the processes that events name by their pid alone.
fn identify(events: &mut [Event]) {
    let mut bearers = HashMap::new();
    // Backwards for the next bearer, then forwards for the one there is.
    for party in events.iter().rev().flat_map(Event::about) {
        learn(&mut bearers, party);
    }
    for event in events {
        for party in event.about_mut() {
            learn(&mut bearers, party);
            let bearer = party.pid.and_then(|pid| bearers.get(&pid));
            if party.guid == NO_GUID
                && let Some(bearer) = bearer
            {
                party.guid.clone_from(bearer);
            }
        }
    }
}

fn learn(bearers: &mut HashMap<u64, String>, party: &Party) {
    if let Some(pid) = party.pid
        && party.guid != NO_GUID
    {
        bearers.insert(pid, party.guid.clone());
    }
}

fn add_lines(hosts: &mut Hosts, from: impl Read) {
    for line in BufReader::new(from).lines() {
        let event: Value = serde_json::from_str(&line.expect("a line")).expect("a line of JSON");
        if event["Channel"] == "Microsoft-Windows-Sysmon/Operational" {
            let host = event["Hostname"].as_str().expect("a host").to_owned();
            add(hosts, host, event["EventID"].as_u64(), event);
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
        event["EventData"].clone(),
    );
}

fn add(hosts: &mut Hosts, host: String, id: Option<u64>, data: Value) {
    if let Some(id @ (1 | 5 | 7 | 8 | 10)) = id {
        hosts.entry(host).or_default().push(Told { id, data });
    }
}

fn event(Told { id, data }: &Told) -> Event {
    let number = |name: &str| {
        let value = &data[name];
        let text = || match value.as_str()? {
            hex if hex.starts_with("0x") => u64::from_str_radix(&hex[2..], 16).ok(),
            decimal => decimal.parse().ok(),
        };
        value.as_u64().or_else(text)
    };
    let text = |name: &str| data[name].as_str().expect("a string").to_owned();
    // N.B. Some names end in `Guid` and some in `GUID`.
    let party = |name: &str| {
        let guid = ["Guid", "GUID"].map(|end| data[format!("{name}Process{end}")].as_str());
        let guid = guid.into_iter().flatten().next().expect("a GUID");
        let image = data[format!("{name}Image")].as_str();
        Party {
            guid: guid.trim_matches(['{', '}']).to_lowercase(),
            pid: number(&format!("{name}ProcessId")),
            image: image.filter(|image| image.contains('\\')).map(Into::into),
        }
    };
    match id {
        1 => Event::Start {
            process: party(""),
            parent: party("Parent"),
            command_line: text("CommandLine"),
            user: text("User"),
        },
        5 => Event::Exit { process: party("") },
        7 => Event::Image {
            process: party(""),
            path: text("ImageLoaded"),
        },
        8 => Event::RemoteThread {
            source: party("Source"),
            target: party("Target"),
            tid: number("NewThreadId").expect("a thread id"),
            start_address: number("StartAddress").expect("an address"),
        },
        10 => Event::Open {
            source: party("Source"),
            tid: number("SourceThreadId").expect("a thread id"),
            target: party("Target"),
            granted: number("GrantedAccess").expect("a mask"),
        },
        other => unreachable!("event {other} is not taken"),
    }
}
