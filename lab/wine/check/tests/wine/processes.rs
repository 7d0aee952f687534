//! Programs that Wine runs, as the client tells of them.

use ntwatch_wine_check::{Client, Driver, Wine, assert_ends, text};
use serde_json::Value;

const HAND: &str = r"C:\ntwatch\hand.exe";

/// The events that come until processes of these pids have exited. They exit in any order.
fn until_exits(watch: &Client, pids: &[u64]) -> Vec<Value> {
    let mut events = Vec::new();
    let mut left = pids.to_vec();
    let last = watch.line_that(|line| {
        let event: Value = serde_json::from_str(line).expect("a line is JSON");
        if event["event"] == "process_exit" {
            left.retain(|pid| event["process"]["pid"] != *pid);
        }
        events.push(event);
        left.is_empty()
    });
    assert!(last.is_some(), "no exit of {left:?} came");
    events
}

/// The one of a kind that is about the process that has this pid.
fn event<'a>(events: &'a [Value], kind: &str, pid: u64) -> &'a Value {
    let is_it = |event: &&Value| event["event"] == kind && event["process"]["pid"] == pid;
    let mut found = events.iter().filter(is_it);
    let event = found.next();
    assert!(found.next().is_none(), "more than one {kind} of {pid}");
    event.unwrap_or_else(|| panic!("no {kind} of {pid}"))
}

#[test]
fn a_program_and_the_one_that_it_starts_come_and_go_with_pid_parent_and_image() {
    let wine = Wine::get();
    let _driver = Driver::load(&wine);
    let mut watch = wine.start(&["watch", "--format", "jsonl", "--for", "10min"]);
    watch.line("process_running");
    let family = wine.hand(&["family"]);
    assert_ends(&family, 0, &[]);
    let pids = text(&family.stdout).split_whitespace();
    let pids: Vec<u64> = pids.map(|pid| pid.parse().expect("a pid")).collect();
    let (parent, child) = (pids[0], pids[1]);

    let events = until_exits(&watch, &[parent, child]);
    let of_parent = event(&events, "process_start", parent);
    let of_child = event(&events, "process_start", child);
    assert_eq!(of_child["parent"]["pid"], parent);
    assert_eq!(of_child["parent"]["key"], of_parent["process"]["key"]);
    assert_eq!(of_child["parent"]["image"], HAND);
    for (start, word) in [(of_parent, "family"), (of_child, "end 0")] {
        let process = &start["process"];
        assert_eq!(process["image"], HAND);
        let told = process["command_line"]
            .as_str()
            .expect("Wine has it by then");
        assert!(told.ends_with(word), "{told}");
        assert_eq!(process["integrity"], "high");
        assert_eq!(process["elevated"], true);
        assert!(
            process["user"]
                .as_str()
                .is_some_and(|user| user.contains('\\'))
        );
    }
    let thread = event(&events, "thread_start", child);
    assert_ne!(thread["thread"]["start_address"], Value::Null);
    assert_eq!(thread["remote"], false);
    assert_eq!(event(&events, "thread_exit", child)["exit_status"], 0);
    let exit = event(&events, "process_exit", child);
    assert_eq!(exit["process"]["key"], of_child["process"]["key"]);
    assert_eq!(exit["exit_status"], 0);
}

#[test]
fn the_driver_s_filter_holds_there_too() {
    let wine = Wine::get();
    let _driver = Driver::load(&wine);
    let words = ["watch", "--format", "jsonl", "--count", "6", "--events"];
    let filter = ["process_start,process_exit", "--image", r"*\hand.exe"];
    let watch = wine.start(&[&words[..], &filter].concat());
    let _ = watch.line_that(|line| line.contains(r#""event":"session""#));
    // One that is left out, which lives as long as one that is not.
    let within = wine.run(&["cmd", "/c", &format!("{HAND} end 0")]);
    assert_ends(&within, 0, &[]);
    assert_ends(&wine.hand(&["family"]), 0, &[]);
    let watched = watch.end();
    let live = watched.lines.iter();
    let live = live.filter(|line| !line.contains("process_running"));
    let images: Vec<Value> = live
        .map(|line| {
            let event: Value = serde_json::from_str(line).expect("a line is JSON");
            event["process"]["image"].clone()
        })
        .collect();
    assert_eq!(images, [HAND; 6]);
}
