//! The driver and the client together, as somebody at a console has them.

use ntwatch_wine_check::{Driver, Wine, assert_ends, text, wait};
use std::collections::BTreeSet;
use std::fs;

/// The start and the exit of one.
const ONE_PROGRAM: [&str; 6] = [
    "--events",
    "process_start,process_exit",
    "--image",
    r"*\hand.exe",
    "--count",
    "2",
];

/// What the registry has of the machine and of Windows, and each file of Windows', its size and when it
/// was written. N.B. Classes are left out, which are most of it: Wine takes 12 seconds to tell them.
fn installed(wine: &Wine) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for place in [r"HKLM\System", r"HKLM\Software\Microsoft\Windows"] {
        let told = wine.run(&["reg", "query", place, "/s"]);
        assert!(told.status.success(), "{place}");
        let mut key = "";
        for line in text(&told.stdout).lines() {
            if line.starts_with("HKEY") {
                key = line;
            }
            all.insert(format!("{key}: {line}"));
        }
    }
    // The number of the last service that was started.
    all.retain(|line| !line.contains(r"\Control\ServiceCurrent"));
    let mut folders = vec![wine.here("windows")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of Windows'") {
            let path = entry.expect("it can be read").path();
            let file = path.symlink_metadata().expect("it is there");
            let written = (file.is_file()).then(|| (file.len(), file.modified().ok()));
            all.insert(format!("{} {written:?}", path.display()));
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            }
        }
    }
    all
}

#[test]
fn from_install_to_uninstall_everything_works_as_it_is_typed_and_nothing_is_left() {
    let wine = Wine::get();
    let before = installed(&wine);
    let driver = Driver::load(&wine);
    assert_ne!(installed(&wine), before);
    let again = wine.ntwatch(&["start"]);
    assert_ends(&again, 0, &["The driver was loaded already"]);
    let status = wine.ntwatch(&["status"]);
    let says = [
        r"\\.\ntwatch on",
        "0.1.0.0",
        "process_start",
        " 0 besides this one",
    ];
    assert_ends(&status, 0, &says);

    let mut watch = wine.start(&[&["watch"], &ONE_PROGRAM[..]].concat());
    watch.line("TIME");
    assert_ends(&wine.hand(&["end", "7"]), 7, &[]);
    let start = watch.line("hand.exe");
    assert!(start.contains(" start "), "{start}");
    let exit = watch.line_that(|line| line.contains("hand.exe") && line.contains(" exit "));
    let exit = exit.expect("what starts also ends");
    assert!(exit.contains("code 7"), "{exit}");
    let watched = watch.end();
    assert_eq!(watched.status.code(), Some(0), "{}", watched.errors);
    assert!(watched.errors.contains(", 0 lost"), "{}", watched.errors);
    assert!(
        watched.errors.contains("The account balances"),
        "{}",
        watched.errors
    );

    let stats = wine.ntwatch(&["stats"]);
    assert_ends(
        &stats,
        0,
        &["offered", "process_start", "\n0 sessions besides this one"],
    );

    let recording = wine.folder("recorded");
    let file = recording.there("events.parquet");
    let record = wine.start(&[&["record", &*file], &ONE_PROGRAM[..]].concat());
    // It may not listen yet when it has its file.
    let whole = recording.here().join("events.parquet");
    wait("nothing is recorded", || {
        assert_ends(&wine.hand(&["end", "0"]), 0, &[]);
        whole.exists()
    });
    let recorded = record.end();
    assert_eq!(recorded.status.code(), Some(0), "{}", recorded.errors);
    let shown = wine.ntwatch(&["show", &file]);
    assert_ends(&shown, 0, &["hand.exe"]);
    drop(driver);
    let after = installed(&wine);
    let differ: Vec<_> = before.symmetric_difference(&after).collect();
    assert_eq!(differ, Vec::<&String>::new());
}

#[test]
fn a_process_is_protected_as_long_as_the_rule_is_kept() {
    let wine = Wine::get();
    let _driver = Driver::load(&wine);
    let mut watch = wine.start(&[
        "watch",
        "--format",
        "jsonl",
        "--events",
        "process_start,process_exit",
        "--for",
        "10min",
    ]);
    let running = watch.line(r#"\\services.exe"#);
    let running: serde_json::Value = serde_json::from_str(&running).expect("a line is JSON");
    let pid = running["process"]["pid"].to_string();
    let list = || wine.ntwatch(&["protect", "list"]);
    assert_ends(&list(), 0, &["No process is protected"]);
    let words = [
        "protect",
        "add",
        "--deny",
        "terminate",
        "--for",
        "10min",
        &pid,
    ];
    let keeper = wine.start(&words);
    let denied = format!("services.exe ({pid}): TERMINATE to it");
    wait("it is not protected", || {
        text(&list().stdout).contains(&denied)
    });
    assert_ends(
        &wine.ntwatch(&["protect", "remove", &pid]),
        0,
        &["is no longer protected"],
    );
    let kept = keeper.end();
    assert_eq!(kept.status.code(), Some(1), "{}", kept.errors);
    assert!(
        kept.errors.contains("somebody else has ended the rule"),
        "{}",
        kept.errors
    );
    assert_ends(&list(), 0, &["No process is protected"]);
    let none = wine.ntwatch(&["protect", "remove", &pid]);
    assert_ends(&none, 1, &["no rule"]);
}
