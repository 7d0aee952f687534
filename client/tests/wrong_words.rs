//! Words that `ntwatch` does not understand: each is named, with those that it would.
#![cfg(unix)]

mod common;

use common::machine::Machine;
use common::program::{assert_fails, ntwatch, run};

/// What is typed, and what is said of it.
const WRONG: &[(&str, &[&str])] = &[
    ("wacth", &["'wacth'", "'watch'"]),
    ("--device", &["'--device <NAME>'"]),
    ("watch now", &["'now'", "Usage: ntwatch watch "]),
    ("watch --evnets x", &["--evnets", "'--events'"]),
    (
        "watch --events process_start,reboot",
        &["'reboot'", "process_start", "process_exit"],
    ),
    ("watch --format json", &["'json'", "pretty", "jsonl"]),
    ("watch --hash md5", &["'md5'", "sha256"]),
    ("watch --pid cmd.exe", &["'cmd.exe'", "--pid"]),
    ("watch --image=", &["--image"]),
    ("watch --tree", &["--pid", "--exclude-pid"]),
    ("watch --access fly", &["`fly`", "vm-read"]),
    ("watch --for soon", &["'soon'", "--for"]),
    ("watch --count 0", &["'0'", "--count"]),
    ("watch --ring-size 3", &["'3'", "2, 4, 8"]),
    ("watch --transport tape", &["'tape'", "read, mapped"]),
    ("watch --linger soon", &["'soon'", "--linger"]),
    ("watch --linger-until 64", &["--linger <TIME>"]),
    (
        "watch --fields proces.image",
        &["'proces.image'", "process.image"],
    ),
    (
        "watch --format ecs --fields time",
        &["`ecs`", "pretty, jsonl or csv"],
    ),
    ("watch --where process", &["`process`"]),
    ("record", &["<FILE>"]),
    ("record a.tape", &["a.tape", "--format"]),
    ("record a.jsonl b.jsonl", &["'b.jsonl'"]),
    ("record a --format ecs", &["'ecs'", "jsonl, csv, parquet"]),
    (
        "record a.jsonl --rotate soon",
        &["'soon'", "10min", "256MiB"],
    ),
    ("record a.jsonl --rotate 0s", &["'0s'", "10min", "256MiB"]),
    ("show", &["<FILE>..."]),
    ("show a --from ecs", &["'ecs'", "jsonl, csv, parquet"]),
    ("show a.jsonl --pid 8", &["'--pid'"]),
    ("show a.jsonl --count many", &["'many'", "--count"]),
    ("convert", &["<IN>...", "<OUT>"]),
    ("convert a.jsonl", &["<IN>... <OUT>"]),
    ("convert a.jsonl a.tape", &["a.tape", "--format"]),
    (
        "convert a b.csv --from ecs",
        &["'ecs'", "jsonl, csv, parquet"],
    ),
    ("stats now", &["'now'", "Usage: ntwatch stats "]),
    ("stats --format csv", &["'csv'", "pretty, jsonl"]),
    ("status now", &["'now'", "Usage: ntwatch status "]),
    ("protect", &["add", "list", "remove"]),
    ("protect ad", &["'ad'", "'add'"]),
    ("protect add", &["--deny <RIGHTS>", "<PID>"]),
    ("protect add 4711", &["--deny <RIGHTS>"]),
    ("protect add 4711 --deny fly", &["`fly`", "vm-write"]),
    (
        "protect add cmd.exe --deny terminate",
        &["'cmd.exe'", "<PID>"],
    ),
    ("protect list --format csv", &["'csv'", "pretty, jsonl"]),
    ("protect remove", &["<PID>"]),
    ("protect remove cmd.exe", &["'cmd.exe'", "<PID>"]),
    ("completions", &["<SHELL>"]),
    ("completions csh", &["'csh'", "bash"]),
    ("man wacth", &["`wacth`", "watch"]),
    ("man watch add", &["`watch`", "`add`"]),
];

#[test]
fn wrong_words_are_named_and_the_right_ones_too() {
    for (words, said) in WRONG {
        let args: Vec<_> = words.split(' ').collect();
        let output = ntwatch(None, &args).output().unwrap();
        assert_fails(&output, 2, said);
    }
}

#[test]
fn a_drive_that_is_not_there_is_a_wrong_word() {
    let output = run(Machine::new([]), &["watch", "--image", r"Q:\*"]);
    assert_fails(&output, 2, &[r"Q:\*", "not mounted"]);
}
