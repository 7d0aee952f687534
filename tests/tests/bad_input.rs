//! What the programs say to wrong words, absent drivers and broken files: the thing, the reason,
//! the remedy, and the exit code that the README promises.

use ntwatch_tests::lab::{Lab, stderr, stdout};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Checks an exit code, that nothing was printed as if it were an event, and what was said.
fn assert_says(output: &Output, code: i32, words: &[&str]) {
    let said = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert_eq!(stdout(output), "", "{said}");
    for word in words {
        assert!(said.contains(word), "not a word of {word:?} in:\n{said}");
    }
}

fn watch(device: Option<&str>, args: &[&str]) -> Output {
    let args = [&["watch", "--count", "1"], args].concat();
    Lab::get()
        .ntwatch(device, args)
        .output()
        .expect("ntwatch runs")
}

fn nthost(args: &[&str]) -> Output {
    let lab = Lab::get();
    let mut command = Command::new(&lab.nthost);
    command
        .args(["serve", "--socket", "/nonexistent/n.sock"])
        .args(args);
    command.stdin(Stdio::null()).output().expect("nthost runs")
}

fn utf8(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

#[test]
fn without_a_driver_the_client_says_how_to_get_one() {
    let not_windows = ["not Windows", "start the lab with `nthost serve`"];
    let cases = [
        (None, r"`\\.\ntwatch`", not_windows),
        (Some("tape:0"), "`tape:0`", not_windows),
        (
            Some("unix:/nonexistent/n.sock"),
            "unix:/nonexistent/n.sock",
            ["no driver answers", "start `nthost serve` with this socket"],
        ),
    ];
    for (device, name, [reason, remedy]) in cases {
        let said = watch(device, &[]);
        assert_says(&said, 3, &[name]);
        assert_says(&said, 3, &[reason]);
        assert_says(&said, 3, &[remedy]);
    }
}

#[test]
fn a_user_who_is_no_administrator_is_refused() {
    let machine = Lab::get().serve(["--client-token", "user"]);
    assert_says(
        &watch(Some(&machine.device()), &[]),
        3,
        &["denied", "administrator"],
    );
    let (clean, log) = machine.stop();
    assert!(clean, "{log}");
}

#[test]
fn unknown_words_are_usage_errors() {
    let no_event = watch(Some("unix:/x"), &["--events", "process_start,reboot"]);
    assert_says(&no_event, 2, &["reboot", "process_start", "process_exit"]);
    assert_says(
        &watch(Some("unix:/x"), &["--format", "xml"]),
        2,
        &["xml", "jsonl"],
    );
    assert_says(&watch(Some("unix:/x"), &["--for", "soon"]), 2, &["soon"]);
    assert_says(&watch(Some("unix:/x"), &["--pid", "me"]), 2, &["me"]);
    assert_says(&watch(Some("unix:/x"), &["--image", ""]), 2, &["--image"]);
}

#[test]
fn a_recording_that_cannot_be_read_is_named() {
    let driver = Lab::get().driver;
    let driver = utf8(&driver);
    let dir = tempfile::tempdir().expect("a directory");
    let file = |name: &str, bytes: &[u8]| -> PathBuf {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).expect("a file");
        path
    };
    let absent = dir.path().join("absent.evtx");
    let broken = [
        (absent, "No such file"),
        (file("empty.json", b""), "empty"),
        (
            file("cut.json", b"{\"Channel\":\"Microsoft-Windows-Sysmon/Oper"),
            "line 1",
        ),
        (file("cut.zip", b"PK\x03\x04 and no more"), "zip"),
        (file("cut.evtx", b"ElfFile\0 and no more"), "evtx"),
        (file("picture.png", b"\x89PNG"), "picture.png"),
    ];
    for (path, reason) in &broken {
        let said = nthost(&["--driver", driver, "--replay", utf8(path)]);
        assert_says(&said, 1, &[utf8(path)]);
        let text = stderr(&said).to_lowercase();
        assert!(
            text.contains(&reason.to_lowercase()),
            "no {reason:?} in:\n{text}"
        );
    }
}

#[test]
fn a_driver_that_cannot_be_loaded_is_named_with_all_that_is_missing() {
    let lab = Lab::get();
    let dir = tempfile::tempdir().expect("a directory");
    let good = std::fs::read(&lab.driver).expect("the driver is built");

    let said = nthost(&["--driver", "/nonexistent/ntwatch.sys"]);
    assert_says(&said, 1, &["/nonexistent/ntwatch.sys"]);

    let cut = dir.path().join("cut.sys");
    std::fs::write(&cut, &good[..good.len() / 2]).expect("a file");
    let said = nthost(&["--driver", utf8(&cut), "--wdfldr", utf8(&lab.wdfldr)]);
    assert_says(&said, 1, &["cut.sys", "ends after the file"]);

    // Two imports that no kernel has, of the length of two that the driver needs.
    let mut foreign = good;
    for (ours, theirs) in [
        (b"SeLocateProcessImageName\0", b"SeLocateProcessImageNamx\0"),
        (b"PsLookupProcessByProcessI", b"PsLookupProcessByProcessX"),
    ] {
        let at = foreign.windows(ours.len()).position(|bytes| bytes == ours);
        let at = at.expect("the import's name");
        foreign[at..at + ours.len()].copy_from_slice(theirs);
    }
    let path = dir.path().join("foreign.sys");
    std::fs::write(&path, foreign).expect("a file");
    let said = nthost(&["--driver", utf8(&path), "--wdfldr", utf8(&lab.wdfldr)]);
    let missing = ["SeLocateProcessImageNamx", "PsLookupProcessByProcessXd"];
    assert_says(&said, 1, &["foreign.sys", missing[0], missing[1]]);
}
