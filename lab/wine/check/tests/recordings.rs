//! Recordings are the same files on both systems.

use ntwatch_wine_check::{Folder, Wine, text};
use std::fs;
use std::process::Command;

/// An event of each kind.
const KINDS: &str = include_str!("../../../../client/tests/common/kinds.jsonl");

/// A recording in both systems' folder.
fn recording(folder: &Folder, name: &str) {
    fs::write(folder.here().join(name), KINDS).expect("a file in a folder of ours");
}

/// What `ntwatch.exe` writes with these words.
fn written(wine: &Wine, words: &[&str]) -> Vec<u8> {
    let output = wine.ntwatch(words);
    assert!(
        output.status.success(),
        "{words:?}: {}",
        text(&output.stderr)
    );
    output.stdout
}

/// What `ntwatch` writes here.
fn written_here(wine: &Wine, words: &[&str]) -> Vec<u8> {
    let output = Command::new(&wine.ntwatch).args(words).output();
    let output = output.expect("the client for Linux runs");
    assert!(
        output.status.success(),
        "{words:?}: {}",
        text(&output.stderr)
    );
    output.stdout
}

#[test]
fn every_format_is_byte_for_byte_what_it_is_on_linux() {
    let wine = Wine::get();
    let folder = wine.folder("formats");
    recording(&folder, "kinds.jsonl");
    let (here, there) = (
        folder.here().join("kinds.jsonl"),
        folder.there("kinds.jsonl"),
    );
    let here = here.to_str().expect("a path of ours");
    for format in ["pretty", "jsonl", "csv", "ecs", "ocsf", "sysmon"] {
        let words = ["show", "--format", format];
        let there = written(&wine, &[&words[..], &[&there]].concat());
        let here = written_here(&wine, &[&words[..], &[here]].concat());
        let lines = text(&there).lines().zip(text(&here).lines());
        lines.for_each(|(there, here)| assert_eq!(there, here, "{format}"));
        assert_eq!(there.len(), here.len(), "{format}");
    }
}

#[test]
fn what_was_converted_there_is_read_here_and_nothing_is_lost() {
    let wine = Wine::get();
    let folder = wine.folder("conversions");
    recording(&folder, "kinds.jsonl");
    let whole = written(
        &wine,
        &["show", "--format", "jsonl", &folder.there("kinds.jsonl")],
    );
    for name in ["kinds.parquet", "kinds.csv"] {
        written(
            &wine,
            &["convert", &folder.there("kinds.jsonl"), &folder.there(name)],
        );
        let file = folder.here().join(name);
        let file = file.to_str().expect("a path of ours");
        let back = written_here(&wine, &["show", "--format", "jsonl", file]);
        assert_eq!(text(&back), text(&whole), "{name}");
    }
    // It is not written over.
    let again = wine.ntwatch(&[
        "convert",
        &folder.there("kinds.jsonl"),
        &folder.there("kinds.csv"),
    ]);
    assert_eq!(again.status.code(), Some(1));
    assert!(
        text(&again.stderr).contains("--force"),
        "{}",
        text(&again.stderr)
    );
}

#[test]
fn paths_may_be_long_and_in_any_language() {
    let wine = Wine::get();
    let folder = wine.folder("Повесть 家");
    let long = [
        ["x"; 120].concat(),
        ["y"; 120].concat(),
        ["z"; 120].concat(),
    ];
    let inner = folder.here().join(long.join("/"));
    fs::create_dir_all(&inner).expect("a folder in a folder of ours");
    fs::write(inner.join("записи.jsonl"), KINDS).expect("a file in it");
    let there = folder.there(&format!(r"{}\записи.jsonl", long.join(r"\")));
    assert!(there.chars().count() > 300);
    let shown = written(
        &wine,
        &["show", "--where", "event == process_start", &there],
    );
    assert!(text(&shown).contains(" start "), "{}", text(&shown));
    // And a new file in it, by whatever path.
    let relative = format!(r"{}\записи.csv", long.join(r"\"));
    let verbatim = format!(r"\\?\{}", there.replace(".jsonl", ".parquet"));
    for to in [&relative, &verbatim] {
        let mut command = wine.command();
        command.args([&wine.exe, "convert", &there, to]);
        let output = command.current_dir(folder.here()).output();
        let output = output.expect("Wine starts");
        assert!(output.status.success(), "{to}: {}", text(&output.stderr));
    }
    let mut files: Vec<_> = fs::read_dir(&inner)
        .expect("a folder of ours")
        .map(|file| file.expect("a file of ours").file_name())
        .collect();
    files.sort();
    assert_eq!(files, ["записи.csv", "записи.jsonl", "записи.parquet"]);
}
