//! Recordings of Sysmon, as nthost reads them.

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
        vec![Bytes(zipped(&few)), Bytes(few), Bytes(lines.to_vec())]
    }

    fn run(Bytes(file): &Bytes) {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("fuzz");
        std::fs::write(&path, file).expect("a file");
        let (read, memory) = peak_of(|| {
            // Some of these recordings are of two hosts.
            let all = Recording::open(&path, None);
            let one = Recording::open(&path, Some("DESK.lab.example"));
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

fn zipped(lines: &[u8]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default();
    zip.start_file("fuzz.json", options).expect("a member");
    zip.write_all(lines).expect("a member");
    zip.finish().expect("an archive").into_inner()
}
