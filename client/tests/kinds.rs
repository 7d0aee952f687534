//! An event of each kind, in each format: what files and other tools were given stays what they get.
//!
//! What is expected lies in `kinds`, a file for each format. `ntwatch show --format F` of
//! `common/kinds.jsonl` makes one anew, and `ntwatch convert` the Parquet.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file of this folder.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(name)
}

fn ntwatch(words: &[&str], files: &[&Path]) -> Vec<u8> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ntwatch"));
    let output = command.args(words).args(files).output();
    let output = output.expect("the client runs");
    assert!(output.status.success(), "{words:?}: {output:?}");
    output.stdout
}

#[test]
fn each_format_is_what_it_was() {
    for format in ["pretty", "jsonl", "csv", "ecs", "ocsf", "sysmon"] {
        let shown = ntwatch(
            &["show", "--format", format],
            &[&file("common/kinds.jsonl")],
        );
        let shown = String::from_utf8(shown).expect("the client writes UTF-8");
        let expected = fs::read_to_string(file("kinds").join(format)).expect("it is there");
        for (line, expected) in shown.lines().zip(expected.lines()) {
            assert_eq!(line, expected, "{format}");
        }
        assert_eq!(shown.len(), expected.len(), "{format}");
    }
}

#[test]
fn a_recording_of_before_is_read_and_is_still_written_so() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["parquet", "csv"] {
        let recorded = folder.path().join(format!("kinds.{name}"));
        let before = fs::read(file("kinds").join(name)).expect("it is there");
        fs::write(&recorded, &before).expect("a file of ours");
        let shown = ntwatch(&["show", "--format", "jsonl"], &[&recorded]);
        let expected = fs::read(file("kinds/jsonl")).expect("it is there");
        assert_eq!(shown, expected, "{name}");
        let now = folder.path().join(format!("now.{name}"));
        ntwatch(&["convert"], &[&file("common/kinds.jsonl"), &now]);
        let now = fs::read(&now).expect("it was written");
        assert!(now == before, "{name} is other bytes than it was");
    }
}
