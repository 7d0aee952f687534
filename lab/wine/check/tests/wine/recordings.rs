//! Recordings are the same files on both systems.

use ntwatch_wine_check::{Folder, Wine, output, text};
use std::fs;
use std::path::Path;

/// An event of each kind.
const KINDS: &str = include_str!("../../../../../client/tests/common/kinds.jsonl");

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

/// What `ntwatch` writes on Linux, to which its own tests hold it.
fn written_here(format: &str) -> Vec<u8> {
    let kinds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../client/tests/kinds");
    fs::read(kinds.join(format)).expect("there is a file for each format")
}

#[test]
fn every_format_is_byte_for_byte_what_it_is_on_linux() {
    let wine = Wine::get();
    let folder = wine.folder("formats");
    recording(&folder, "kinds.jsonl");
    let file = folder.there("kinds.jsonl");
    for format in ["pretty", "jsonl", "csv", "ecs", "ocsf", "sysmon"] {
        let there = written(&wine, &["show", "--format", format, &file]);
        let here = written_here(format);
        let lines = text(&there).lines().zip(text(&here).lines());
        lines.for_each(|(there, here)| assert_eq!(there, here, "{format}"));
        assert_eq!(there.len(), here.len(), "{format}");
    }
}

#[test]
fn recordings_are_the_same_files_and_nothing_is_lost() {
    let wine = Wine::get();
    let folder = wine.folder("conversions");
    recording(&folder, "kinds.jsonl");
    for format in ["parquet", "csv"] {
        let name = format!("kinds.{format}");
        let file = folder.there(&name);
        written(&wine, &["convert", &folder.there("kinds.jsonl"), &file]);
        let there = fs::read(folder.here().join(&name)).expect("it was written");
        assert!(
            there == written_here(format),
            "{format} is other bytes than on Linux"
        );
        let back = written(&wine, &["show", "--format", "jsonl", &file]);
        assert_eq!(text(&back), text(&written_here("jsonl")), "{format}");
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
        let output = output(command.current_dir(folder.here()));
        assert!(output.status.success(), "{to}: {}", text(&output.stderr));
    }
    let mut files: Vec<_> = fs::read_dir(&inner)
        .expect("a folder of ours")
        .map(|file| file.expect("a file of ours").file_name())
        .collect();
    files.sort();
    assert_eq!(files, ["записи.csv", "записи.jsonl", "записи.parquet"]);
}
