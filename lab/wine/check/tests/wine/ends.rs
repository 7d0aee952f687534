//! The ends of requests that wait, and of those who wait for them. (Ctrl+C: `interrupt.rs`.)

use ntwatch_wine_check::{Client, Driver, Wine, assert_ends, text, wait};

const EVENTS: [&str; 2] = ["--events", "process_start,process_exit"];

/// A client that waits for events, and has begun to.
fn watch(wine: &Wine) -> Client {
    let words = ["watch", "--format", "jsonl", "--for", "10min"];
    let mut watch = wine.start(&[&words[..], &EVENTS].concat());
    watch.line("process_running");
    watch
}

/// Waits until so many sessions are open besides the one that asks.
fn wait_for_sessions(wine: &Wine, count: usize) {
    let wanted = format!("sessions  {count} besides this one");
    wait(&format!("never: {wanted}"), || {
        text(&wine.ntwatch(&["status"]).stdout).contains(&wanted)
    });
}

/// The starts of a program that a client has told of, but for their place in its stream.
fn starts<'a>(lines: &'a [String], program: &str) -> Vec<&'a str> {
    let starts = lines.iter().filter(|line| line.contains("process_start"));
    let known = starts.filter_map(|line| line.split_once(r#""process":"#));
    let known = known.map(|(_, process)| process);
    known.filter(|process| process.contains(program)).collect()
}

#[test]
fn a_read_ends_by_an_event_by_being_canceled_and_with_its_program() {
    let wine = Wine::get();
    let _driver = Driver::load(&wine);
    let ended = wine.hand(&["cancel", r"\\.\ntwatch"]);
    assert_ends(&ended, 0, &[]);
    let said: Vec<_> = text(&ended.stdout).lines().map(str::trim_end).collect();
    let expected = [
        "a read waits: true",
        "it ends with error 995",
        "a read waits: true",
        "a program ends: true",
        "it ends with records: true",
    ];
    assert_eq!(said, expected);
    // One more waited when it ended.
    wait_for_sessions(&wine, 0);
}

#[test]
fn a_client_that_is_killed_leaves_no_session_behind() {
    let wine = Wine::get();
    let _driver = Driver::load(&wine);
    let watch = watch(&wine);
    wait_for_sessions(&wine, 1);
    let kill = wine.run(&["taskkill", "/f", "/im", "ntwatch.exe"]);
    assert_ends(&kill, 0, &["forcibly terminated"]);
    let ended = watch.end();
    assert_eq!(ended.errors, "", "it had no time to say anything");
    wait_for_sessions(&wine, 0);
    // And the others go on.
    let status = wine.ntwatch(&["status"]);
    assert_ends(&status, 0, &["answers"]);
}

#[test]
fn clients_see_the_same_and_a_stop_ends_them_all() {
    let wine = Wine::get();
    let _driver = Driver::load(&wine);
    let watching = [watch(&wine), watch(&wine)];
    wait_for_sessions(&wine, 2);
    assert_ends(&wine.hand(&["family"]), 0, &[]);
    let stop = wine.ntwatch(&["stop"]);
    assert_ends(&stop, 0, &["The driver is unloaded"]);
    let [one, other] = watching.map(Client::end);
    for ended in [&one, &other] {
        assert_eq!(ended.status.code(), Some(0), "{}", ended.errors);
        let says = ["the driver is shutting down", "The account balances"];
        for word in says {
            assert!(ended.errors.contains(word), "{}", ended.errors);
        }
    }
    let [one, other] = [&one.lines, &other.lines].map(|lines| starts(lines, "hand.exe"));
    assert_eq!(one, other);
    assert_eq!(one.len(), 2);
}

#[test]
fn requests_of_another_protocol_are_refused_and_disturb_nobody() {
    let wine = Wine::get();
    let _driver = Driver::load(&wine);
    let watch = watch(&wine);
    let strange = wine.hand(&["strange", r"\\.\ntwatch"]);
    assert_ends(&strange, 0, &[]);
    // What tells a client of another protocol to leave, and what it gets if it does not:
    // ERROR_INSUFFICIENT_BUFFER, ERROR_INVALID_PARAMETER, ERROR_INVALID_FUNCTION.
    let expected = "\
protocol, with more room: Some([1, 0])
version, with less room: error 122
version, with a question: error 87
a request that is new: error 1
a longer header: error 87
a size that is not so: error 87
kinds that are new: error 87
counters: ";
    let said = text(&strange.stdout).replace('\r', "");
    assert!(said.starts_with(expected), "{said}");
    assert_ends(&wine.hand(&["family"]), 0, &[]);
    let start = watch.line_that(|line| line.contains("process_start") && line.contains("hand"));
    assert!(start.is_some());
}

/// Windows would wait until nobody has the driver open.
#[test]
fn a_driver_that_somebody_else_stops_under_its_clients_ends_them_and_can_be_loaded_again() {
    let wine = Wine::get();
    let _driver = Driver::load(&wine);
    let watch = watch(&wine);
    wait_for_sessions(&wine, 1);
    let stop = wine.run(&["sc", "stop", "ntwatch"]);
    assert!(stop.status.success(), "{stop:?}");
    let ended = watch.end();
    // Refused, if it was between two reads.
    assert!(matches!(ended.status.code(), Some(1 | 3)), "{ended:?}");
    let says = r"ntwatch: \\.\ntwatch: cannot read events";
    assert!(ended.errors.contains(says), "{}", ended.errors);
    assert_ends(&wine.ntwatch(&["status"]), 3, &["no driver answers there"]);
    assert_ends(&wine.ntwatch(&["start"]), 0, &["The driver is loaded"]);
    assert_ends(&wine.ntwatch(&["status"]), 0, &[" 0 besides this one"]);
}
