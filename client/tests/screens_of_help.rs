//! What people see of help, and of words that are wrong, on terminals of two sizes.
#![cfg(target_os = "linux")]

mod common;

use common::commands::ALL;
use common::terminal::{NOWHERE, SIZES, assert_fits, line_with, printed, see};

#[test]
fn help_is_broken_between_words_and_ends_in_examples() {
    for size in SIZES {
        for command in ALL {
            let (code, help) = printed(size, NOWHERE, &[command, &["--help"][..]].concat());
            assert_eq!(code, 0, "{help:#?}");
            assert_fits(&help, size);
            let usage = [&["Usage: ntwatch"], *command].concat().join(" ");
            line_with(&help, &usage);
            if *command != ["protect"] {
                line_with(&help, "Examples:");
            }
        }
    }
}

#[test]
fn unknown_options_are_named_above_the_usage() {
    for size in SIZES {
        for command in ALL {
            let (code, screen) = see(size, NOWHERE, &[command, &["--colour"][..]].concat());
            assert_eq!(code, 2, "{screen:#?}");
            assert!(screen[0].contains("'--colour'"), "{screen:#?}");
            line_with(&screen, &[&["Usage: ntwatch"], *command].concat().join(" "));
            assert_fits(&screen, size);
        }
    }
}

#[test]
fn pages_and_completions_come_as_they_are() {
    for size in SIZES {
        let (code, page) = printed(size, NOWHERE, &["man", "protect", "add"]);
        assert_eq!(code, 0, "{page:#?}");
        line_with(&page, ".TH ntwatch-protect-add 1 ");
        let (code, end) = see(size, NOWHERE, &["completions", "bash"]);
        assert_eq!(code, 0, "{end:#?}");
        line_with(&end, "complete -F _ntwatch ");
    }
}
