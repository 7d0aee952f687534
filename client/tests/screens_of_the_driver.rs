//! What people see of the driver itself, on terminals of two sizes.
#![cfg(target_os = "linux")]

mod common;

use common::commands::WANTING_A_DRIVER;
use common::machine::Machine;
use common::serve::Server;
use common::terminal::{NOWHERE, SIZES, Terminal, assert_fits, line_with, printed, see};
use ntwatch_client::protocol::record::Kind;

#[test]
fn status_is_a_line_for_each_fact() {
    for size in SIZES {
        let server = Server::start(Machine::new([]));
        let (code, lines) = printed(size, &server.device(), &["status"]);
        assert_eq!(code, 0, "{lines:#?}");
        assert!(lines[0].ends_with(" answers."), "{lines:#?}");
        for fact in ["driver", "loaded", "booted", "events", "sessions"] {
            let is_it = |line: &&String| line.split_whitespace().next() == Some(fact);
            assert_eq!(lines.iter().filter(is_it).count(), 1, "{lines:#?}");
        }
        for kind in Kind::EVENTS {
            line_with(&lines, kind.name());
        }
        assert_fits(&lines, size);
    }
}

#[test]
fn stats_are_a_table_of_all_kinds_and_say_how_events_would_come() {
    for size in SIZES {
        let mut machine = Machine::new([]);
        machine.stats.sessions = 3;
        // The account of a day.
        machine.stats.offered.fill(9_999_999_999);
        machine.stats.captured.fill(9_999_999_998);
        machine.stats.capture_lost.fill(1);
        let server = Server::start(machine);
        let (code, screen) = see(size, &server.device(), &["stats"]);
        assert_eq!(code, 0, "{screen:#?}");
        let head = &screen[0];
        assert!(
            head.split_whitespace().eq(["offered", "captured", "lost"]),
            "{screen:#?}"
        );
        for (kind, row) in Kind::EVENTS.iter().zip(&screen[1..]) {
            let cells: Vec<_> = row.split_whitespace().collect();
            assert_eq!(cells, [kind.name(), "9999999999", "9999999998", "1"]);
            assert_eq!(row.len(), head.len(), "{screen:#?}");
        }
        line_with(&screen, "2 sessions besides this one, ");
        line_with(&screen, "transport: ");
    }
}

#[test]
fn a_rule_is_announced_and_ends_with_ctrl_c() {
    for size in SIZES {
        let server = Server::start(Machine::new([]));
        let add = ["protect", "add", "4711", "--deny", "terminate,vm-write"];
        let terminal = Terminal::start(size, &server.device(), &add);
        let shown = terminal.shows("(Ctrl+C).");
        let protected = r"ntwatch: C:\Windows\System32\cmd.exe (4711) is protected";
        assert!(shown[0].starts_with(protected), "{shown:#?}");
        terminal.ctrl_c();
        let (code, ended) = terminal.end();
        assert_eq!(code, 0, "{ended:#?}");
        line_with(&ended, "is no longer protected.");
    }
}

#[test]
fn the_rules_of_others_are_a_line_each_until_they_are_removed() {
    for size in SIZES {
        let on_a_protected_machine = |words: &[&str]| {
            let server = Server::start(Machine::protected());
            let (code, lines) = printed(size, &server.device(), words);
            assert_eq!(code, 0, "{lines:#?}");
            lines
        };
        let listed = on_a_protected_machine(&["protect", "list"]);
        let rule = "cmd.exe (4711): TERMINATE|VM_WRITE to it, TERMINATE to its threads";
        assert!(listed[0].ends_with(rule), "{listed:#?}");
        let removed = on_a_protected_machine(&["protect", "remove", "4711"]);
        assert!(
            removed[0].ends_with("cmd.exe (4711) is no longer protected."),
            "{removed:#?}"
        );
    }
}

#[test]
fn without_a_driver_each_command_says_why_and_what_to_do() {
    for size in SIZES {
        for words in WANTING_A_DRIVER {
            let (code, lines) = printed(size, NOWHERE, words);
            assert_eq!(code, 3, "{words:?}: {lines:#?}");
            assert!(
                lines[0].starts_with("ntwatch: cannot open "),
                "{words:?}: {lines:#?}"
            );
            assert!(
                lines[0].contains("start `nthost serve`"),
                "{words:?}: {lines:#?}"
            );
        }
    }
}
