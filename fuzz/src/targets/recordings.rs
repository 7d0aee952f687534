//! Recordings of Sysmon, as nthost reads them.

use super::evtx::{self, Content, Element};
use crate::bytes::Bytes;
use crate::memory::peak_of;
use crate::target::Target;
use nthost::source::replay::Recording;
use std::io::{Cursor, Write};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// Bytes of memory that a recording may take: so many for each of its own, more than deflate can
/// make of one, and these.
const PER_BYTE: usize = 4096;
const ALWAYS: usize = 4 << 20;

/// One of the hosts in the recordings that inputs descend from.
const HOST: &str = "DESK.lab.example";

/// A file is read whole, or refused in words, in memory that its size bounds.
pub enum Recordings {}

impl Target for Recordings {
    type Input = Bytes;
    const NAME: &'static str = "recordings";

    fn seeds() -> Vec<Bytes> {
        let lines = include_bytes!("../../../tests/tests/fixtures/two-hosts.json");
        let few: Vec<u8> = lines
            .split_inclusive(|byte| *byte == b'\n')
            .take(3)
            .flatten()
            .copied()
            .collect();
        let log = log();
        let inputs = [
            zipped("fuzz.json", &few),
            zipped("fuzz.evtx", &log),
            log,
            few,
            lines.to_vec(),
        ];
        inputs.map(Bytes).into()
    }

    fn run(Bytes(file): &Bytes) {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("fuzz");
        std::fs::write(&path, file).expect("a file");
        let (read, memory) = peak_of(|| {
            // Some of these recordings are of two hosts.
            let all = Recording::open(&path, None);
            let one = Recording::open(&path, Some(HOST));
            [all, one].map(|recording| recording.map_err(|e| e.to_string()))
        });
        let most = PER_BYTE * file.len() + ALWAYS;
        assert!(
            memory <= most,
            "{memory} bytes for a file of {}",
            file.len()
        );
        for error in read.into_iter().filter_map(Result::err) {
            assert!(error.contains("fuzz"), "of which file? {error}");
        }
    }
}

fn zipped(member: &str, content: &[u8]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default();
    zip.start_file(member, options).expect("a member");
    zip.write_all(content).expect("a member");
    zip.finish().expect("an archive").into_inner()
}

/// A log in which a process starts, opens another and exits.
fn log() -> Vec<u8> {
    const PARENT: &str = "{42c2e005-e3b4-5f80-0700-000000000400}";
    const CHILD: &str = "{42c2e005-e3b5-5f80-0900-000000000400}";
    let actor = ("SourceProcessGUID", CHILD);
    evtx::log(&[
        event(
            "1",
            &[
                ("UtcTime", "2020-10-09 22:27:01.000"),
                ("ProcessGuid", CHILD),
                ("ProcessId", "100"),
                ("Image", r"C:\a.exe"),
                ("CommandLine", "a -b"),
                ("ParentProcessGuid", PARENT),
                ("ParentProcessId", "52"),
            ],
        ),
        event(
            "10",
            &[
                actor,
                ("SourceProcessId", "100"),
                ("TargetProcessGUID", PARENT),
                ("TargetProcessId", "52"),
                ("GrantedAccess", "0x1010"),
            ],
        ),
        event("5", &[("ProcessGuid", CHILD), ("ProcessId", "100")]),
    ])
}

/// An event of Sysmon's, with these data.
fn event<'a>(id: &'a str, data: &[(&'a str, &'a str)]) -> Element<'a> {
    let element = |name, attribute, content| Element {
        name,
        attribute,
        content,
    };
    let plain = |name, text| element(name, None, Content::Text(text));
    let holder = |name, elements| element(name, None, Content::Elements(elements));
    let provider = Some(("Name", "Microsoft-Windows-Sysmon"));
    let system = vec![
        element("Provider", provider, Content::Elements(Vec::new())),
        plain("EventID", id),
        plain("Computer", HOST),
    ];
    let datum = |&(name, text)| element("Data", Some(("Name", name)), Content::Text(text));
    let data = data.iter().map(datum).collect();
    let inside = vec![holder("System", system), holder("EventData", data)];
    holder("Event", inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_inputs_descend_from_are_recordings() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("seed");
        for (number, Bytes(seed)) in Recordings::seeds().iter().enumerate() {
            std::fs::write(&path, seed).expect("a file");
            let read = Recording::open(&path, Some(HOST));
            let recording = read.unwrap_or_else(|e| panic!("seed {number}: {e}"));
            assert!(!recording.plan.steps.is_empty(), "seed {number}");
        }
    }
}
