//! The language of conditions.

#[path = "common/conditions.rs"]
mod conditions;
#[path = "common/events.rs"]
mod events;

use ntwatch_client::Condition;
use ntwatch_client::event::Event;
use proptest::prelude::*;

proptest! {
    #[test]
    fn a_condition_means_what_its_words_say_of_the_json(
        (event, meant) in events::event().prop_flat_map(|event| {
            let meant = conditions::about(&event);
            (Just(event), meant)
        }),
    ) {
        let text = meant.text();
        let condition = Condition::parse(&text).unwrap();
        let json = serde_json::to_value(&event).unwrap();
        prop_assert_eq!(condition.holds(&event), meant.holds(&json), "{}\n{}", text, json);
    }

    #[test]
    fn what_is_shown_is_read_as_the_same_and_shown_the_same(
        meant in events::event().prop_flat_map(|event| conditions::about(&event)),
    ) {
        let condition = Condition::parse(&meant.text()).unwrap();
        let shown = condition.to_string();
        let again = Condition::parse(&shown).unwrap();
        prop_assert_eq!(&again, &condition, "{}", shown);
        prop_assert_eq!(again.to_string(), shown);
    }

    #[test]
    fn any_text_is_a_condition_or_an_error_that_points_into_it(
        words in prop::collection::vec(
            prop_oneof![
                Just("process.image"), Just("access.granted"), Just("event"), Just("time"), Just("=="),
                Just("!"), Just("~"), Just("has"), Just("in"), Just("("), Just(")"), Just("'"),
                Just("and"), Just("or"), Just("vm_read"), Just("|"), Just("0x"), Just("é\n"), Just("="),
            ],
            0..12,
        ),
        rest in "\\PC{0,8}",
    ) {
        let text = words.join(" ") + &rest;
        for text in [text.as_str(), &rest] {
            if let Err(error) = Condition::parse(text) {
                let shown = error.to_string();
                prop_assert!(!error.columns().is_empty() && !error.what().is_empty());
                prop_assert!(shown.ends_with('^'), "{}", shown);
            }
        }
    }
}

/// The error that a text is, as people see it.
fn error(text: &str) -> String {
    Condition::parse(text).unwrap_err().to_string()
}

#[test]
fn an_error_points_at_its_place_and_says_what_may_have_been_meant() {
    for (text, place, words) in [
        (
            "process.imgae ~ x",
            "^^^^^^^^^^^^^",
            &["`process.imgae`", "`process.image`"][..],
        ),
        ("image ~ x", "^^^^^", &["`image.path`", "`process.image`"]),
        (
            "event == procss_start",
            "         ^^^^^^^^^^^^",
            &["`process_start`"],
        ),
        (
            "process.integrity == hgih",
            "                     ^^^^",
            &["`high`"],
        ),
        (
            "operation == open",
            "             ^^^^",
            &["create, duplicate"],
        ),
        ("remote == 1 and x", "          ^", &["`true` or `false`"]),
        (
            "process.pid == cmd.exe",
            "               ^^^^^^^",
            &["4711"],
        ),
        ("time > now", "       ^^^", &["2026-11-22T03:03:27Z"]),
        ("process.image > x", "              ^", &["no order"]),
        ("process.pid ~ 4*", "            ^", &["no text"]),
        (
            "process.image ~ ''",
            "                ^^",
            &["a pattern", "empty"],
        ),
        (
            "process.image has vm_read",
            "              ^^^",
            &["access.granted"],
        ),
        (
            "access.granted has vm_raed",
            "                   ^^^^^^^",
            &["`VM_READ`"],
        ),
        (
            "access.granted has vm_read|vm_write&delete",
            &format!("{:35}^", ""),
            &["not both"],
        ),
        ("process.user = x", "             ^", &["`==`"]),
        (
            "process.user == NT AUTHORITY",
            "                   ^^^^^^^^^",
            &["quoted"],
        ),
        (
            "process.user == 'SYSTEM",
            "                ^",
            &["never closed"],
        ),
        (
            "(remote == true or (kernel == true)",
            "^",
            &["never closed"],
        ),
        (
            "remote == true)",
            "              ^",
            &["no parenthesis is open"],
        ),
        ("remote", "      ^", &["remote == true"]),
        (
            "remote == true and",
            "                  ^",
            &["a fact is wanted"],
        ),
        ("lost == 1", "        ^", &["exists"]),
        ("", "^", &["a fact is wanted"]),
    ] {
        let shown = error(text);
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!(
            lines[1..],
            [format!("  {text}"), format!("  {place}")],
            "{shown}"
        );
        for word in words {
            assert!(lines[0].contains(word), "no {word} in:\n{shown}");
        }
    }
}

#[test]
fn a_place_is_where_a_terminal_shows_it() {
    let shown = error("event == lost or\n\tprocess.user == '日本' und x");
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(lines[1], "   process.user == '日本' und x");
    assert_eq!(lines[2], format!("  {:24}^^^", ""));
}

#[test]
fn a_million_parentheses_are_an_error() {
    let many = |part: &str| part.repeat(1_000_000);
    for deep in [many("("), many("not "), many("!"), many("(!")] {
        let error = Condition::parse(&deep).unwrap_err();
        assert!(error.what().contains("64 conditions"), "{}", error.what());
    }
    let long = format!("{}remote == true", many("remote == true or "));
    assert!(Condition::parse(&long).is_ok(), "length alone is no harm");
}

fn start(user: &str) -> Event {
    let line = format!(
        r#"{{"seq":1,"time":"2026-11-22T03:03:27Z","event":"process_start","process":{{"pid":8,"key":"0x9","image":"C:\\Windows\\System32\\cmd.exe","user":{user}}}}}"#
    );
    Event::from_json(&line).unwrap()
}

#[test]
fn what_is_not_known_fulfils_no_comparison() {
    let system = r#""NT AUTHORITY\\SYSTEM""#;
    for (condition, of_system, of_other, of_unknown) in [
        (r"process.user == 'nt authority\system'", true, false, false),
        (r"process.user != 'nt authority\system'", false, true, false),
        (
            r"not process.user == 'nt authority\system'",
            false,
            true,
            true,
        ),
        ("process.user !~ *system", false, true, false),
        ("process.user exists", true, true, false),
        ("! process.user exists", false, false, true),
        ("parent.image !~ x or thread.tid != 4", false, false, false),
    ] {
        let condition = Condition::parse(condition).unwrap();
        let holds = [system, r#""x\\y""#, "null"].map(|user| condition.holds(&start(user)));
        assert_eq!(holds, [of_system, of_other, of_unknown], "{condition}");
    }
}

#[test]
fn and_binds_closer_than_or_and_not_closest() {
    let shown = |text| Condition::parse(text).unwrap().to_string();
    let three = "process.pid == 1 or not process.pid == 2 and process.pid == 3";
    assert_eq!(shown(three), three);
    assert_eq!(
        shown("((process.pid == 1)) || (! ((process.pid == 2)) && process.pid == 3)"),
        three
    );
    let grouped = "(process.pid == 1 or process.pid == 2) and not (seq > 3 or seq < 1)";
    assert_eq!(shown(grouped), grouped);
}

#[test]
fn a_pattern_without_separator_is_the_last_part_of_a_path_and_the_whole_of_other_text() {
    let holds = |text| {
        Condition::parse(text)
            .unwrap()
            .holds(&start(r#""CORP\\bob""#))
    };
    assert!(holds("process.image ~ CMD.EXE"));
    assert!(holds(r"process.image ~ c:\windows\*\cmd.exe"));
    assert!(!holds("process.image ~ windows"));
    assert!(
        !holds("process.image == cmd.exe"),
        "`==` is about all of it"
    );
    assert!(!holds("process.user ~ bob") && holds("process.user ~ corp?bob"));
}
