//! The output in Sysmon's words, field by field what Sysmon itself has told.

use crate::watched;
use libtest_mimic::Failed;
use ntwatch_tests::recording::Told;
use ntwatch_tests::watcher::Transport;
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;

/// What both tell, of each kind of event. What else Sysmon has is beyond what a driver is told:
/// versions and signers of files, current directories, logon sessions' GUIDs, call traces.
const FACTS: [(u64, &[&str]); 5] = [
    (
        1,
        &[
            "UtcTime",
            "ProcessGuid",
            "ProcessId",
            "Image",
            "CommandLine",
            "User",
            "LogonId",
            "TerminalSessionId",
            "IntegrityLevel",
            "ParentProcessGuid",
            "ParentProcessId",
            "ParentImage",
            "ParentCommandLine",
            "ParentUser",
        ],
    ),
    (5, &["UtcTime", "ProcessGuid", "ProcessId", "Image", "User"]),
    (
        7,
        &[
            "UtcTime",
            "ProcessGuid",
            "ProcessId",
            "Image",
            "ImageLoaded",
            "User",
        ],
    ),
    (
        8,
        &[
            "UtcTime",
            "SourceProcessGuid",
            "SourceProcessId",
            "SourceImage",
            "SourceUser",
            "TargetProcessGuid",
            "TargetProcessId",
            "TargetImage",
            "TargetUser",
            "NewThreadId",
            "StartAddress",
        ],
    ),
    (
        10,
        &[
            "UtcTime",
            "SourceProcessGUID",
            "SourceProcessId",
            "SourceThreadId",
            "SourceImage",
            "SourceUser",
            "TargetProcessGUID",
            "TargetProcessId",
            "TargetImage",
            "TargetUser",
            "GrantedAccess",
        ],
    ),
];

/// What every line has besides.
const OF_EACH: [&str; 6] = [
    "EventID",
    "Channel",
    "SourceName",
    "Provider_Name",
    "Hostname",
    "Computer",
];

/// How a field is the same in both.
enum Same {
    /// To the letter.
    Text,
    /// In any case: ntwatch spells the image of a process in one way, Sysmon in another for each
    /// kind of event.
    Path,
    /// Made otherwise by each; but whoever is one to Sysmon is one to ntwatch.
    Identity,
    /// Sysmon's "AppContainer" is no level: the token of such a process is of level Low.
    Integrity,
}

impl Same {
    fn of(field: &str) -> Self {
        match field {
            "IntegrityLevel" => Same::Integrity,
            _ if field.to_lowercase().ends_with("processguid") => Same::Identity,
            _ if field.contains("Image") => Same::Path,
            _ => Same::Text,
        }
    }
}

pub(super) fn replay(path: &Path, host: &str, told: &[Told]) -> Result<(), Failed> {
    let lines = watched(path, host, "sysmon", Transport::Mapped)?;
    let facts: HashMap<u64, &[&str]> = FACTS.into();
    if lines.len() != told.len() {
        return Err(format!("{} lines, not {}", lines.len(), told.len()).into());
    }
    let starts = lines.iter().filter(|line| line["EventID"] == 1);
    let mut to_start: Vec<_> = starts.map(|line| &line["ProcessGuid"]).rev().collect();
    let mut identities = Identities::default();
    for (at, (line, told)) in lines.iter().zip(told).enumerate() {
        if told.id == 1 {
            to_start.pop();
        }
        // Of a process whose start is still to be told Windows may not tell the image.
        let is_to_start = |name: &str| {
            let is_target = name == "TargetImage";
            is_target && to_start.iter().any(|guid| is_about(line, guid))
        };
        compare(
            line,
            told,
            host,
            facts[&told.id],
            &mut identities,
            is_to_start,
        )
        .map_err(|why| format!("event {at}: {why}:\n{line}\nnot\n{}", told.data))?;
    }
    Ok(())
}

/// Is this the process that another acts on?
fn is_about(line: &Value, guid: &Value) -> bool {
    ["TargetProcessGUID", "TargetProcessGuid"]
        .iter()
        .any(|name| line[name] == *guid)
}

fn compare(
    line: &Value,
    told: &Told,
    host: &str,
    facts: &[&str],
    identities: &mut Identities,
    may_lack: impl Fn(&str) -> bool,
) -> Result<(), String> {
    let is_of_host = ["Hostname", "Computer"]
        .iter()
        .all(|name| line[name] == host);
    if line["EventID"] != told.id || !is_of_host {
        return Err("another event, or another host's".to_owned());
    }
    let fields = line.as_object().ok_or("no object")?;
    let is_known = |name: &&String| facts.contains(&&***name) || OF_EACH.contains(&&***name);
    if let Some(other) = fields.keys().find(|name| !is_known(name)) {
        return Err(format!("{other} is not for comparison"));
    }
    for name in facts {
        // Where Sysmon itself did not know, or its version did not tell, ntwatch may.
        let Some(expected) = known(&told.data[name]) else {
            continue;
        };
        let seen = match line[name].as_str() {
            Some(seen) => seen,
            None if may_lack(name) => continue,
            None => return Err(format!("no {name}")),
        };
        let is_same = match Same::of(name) {
            Same::Text => seen == expected,
            Same::Path => seen.to_lowercase() == expected.to_lowercase(),
            Same::Identity => identities.agree(seen, &expected),
            Same::Integrity => seen == expected.replace("AppContainer", "Low"),
        };
        if !is_same {
            return Err(format!("{name} differs"));
        }
    }
    Ok(())
}

/// A fact of the recording as text, unless it is one of the ways to say that there is none.
fn known(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let nothing = ["", "-", "<unknown process>", "&lt;unknown process&gt;"];
    let is_zero = text.contains("00000000-0000-0000-0000-000000000000");
    (!nothing.contains(&&*text) && !is_zero).then_some(text)
}

/// Which GUID of ours stands for which of Sysmon's, and the other way round.
#[derive(Default)]
struct Identities {
    sysmon_s: HashMap<String, String>,
    ours: HashMap<String, String>,
}

impl Identities {
    fn agree(&mut self, ours: &str, sysmon_s: &str) -> bool {
        // Exporters write them in braces or not, in either case.
        let sysmon_s = sysmon_s.trim_matches(['{', '}']).to_lowercase();
        let (ours, known) = (ours.to_owned(), self.ours.get(&sysmon_s));
        match (known, self.sysmon_s.get(&ours)) {
            (None, None) => {
                self.ours.insert(sysmon_s.clone(), ours.clone());
                self.sysmon_s.insert(ours, sysmon_s);
                true
            }
            (Some(known), Some(known_s)) => *known == ours && *known_s == sysmon_s,
            _ => false,
        }
    }
}
