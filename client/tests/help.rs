//! What `ntwatch` tells of itself: help, completions, pages of the manual, and what to do when
//! there is no driver.
#![cfg(unix)]

mod common;

use common::commands::{ALL, WANTING_A_DRIVER};
use common::program::{assert_fails, ntwatch, text};
use std::io::Write;
use std::process::{Command, Output, Stdio};

fn said(args: &[&str]) -> Output {
    ntwatch(None, args).output().unwrap()
}

fn printed(args: &[&str]) -> String {
    let output = said(args);
    assert!(
        output.status.success(),
        "{args:?}: {}",
        text(&output.stderr)
    );
    text(&output.stdout).to_owned()
}

/// Runs a program that reads `input`.
fn with_input(program: &str, args: &[&str], input: &str) -> Output {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let mut to = child.stdin.take().unwrap();
    to.write_all(input.as_bytes()).unwrap();
    drop(to);
    child.wait_with_output().unwrap()
}

#[test]
fn every_command_has_help_with_examples_and_no_colour_in_a_pipe() {
    for command in ALL {
        let help = printed(&[command, &["--help"][..]].concat());
        assert!(help.contains("Usage: ntwatch"), "{help}");
        assert!(!help.contains('\u{1b}'), "{help}");
        if *command != ["protect"] {
            assert!(help.contains("\nExamples:\n  # "), "{help}");
        }
    }
}

#[test]
fn a_list_of_all_commands_is_a_list_of_these() {
    let help = printed(&["--help"]);
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    let (commands, _) = commands.split_once("\n\n").unwrap();
    let mut listed: Vec<_> = commands
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    listed.retain(|name| *name != "help");
    let known: Vec<_> = ALL
        .iter()
        .filter(|words| words.len() == 1)
        .map(|words| words[0])
        .collect();
    assert_eq!(listed, known);
}

#[test]
fn without_words_it_says_which_there_are() {
    assert_fails(
        &said(&[]),
        2,
        &["Usage: ntwatch", "watch", "protect", "--help"],
    );
    let version = printed(&["--version"]);
    assert_eq!(
        version,
        concat!("ntwatch ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[test]
fn without_a_driver_every_command_says_what_to_do() {
    for args in WANTING_A_DRIVER {
        let device = ["--device", "unix:/nonexistent/n.sock"];
        let output = said(&[&device, *args].concat());
        assert_fails(&output, 3, &["/nonexistent/n.sock", "start `nthost serve`"]);
    }
}

#[test]
fn bash_completes_commands_options_and_values() {
    let script = printed(&["completions", "bash"]);
    let checked = with_input("bash", &["-n"], &script);
    assert!(checked.status.success(), "{}", text(&checked.stderr));
    for (line, expected) in [
        ("ntwatch wat", "watch"),
        ("ntwatch watch --exclude-i", "--exclude-image"),
        ("ntwatch watch --format js", "jsonl"),
        ("ntwatch protect re", "remove"),
    ] {
        let words: Vec<_> = line.split(' ').collect();
        let ([.., before, word], last) = (&words[..], words.len() - 1) else {
            unreachable!("each has two words");
        };
        let ask = format!(
            "{script}\nCOMP_WORDS=({line}); COMP_CWORD={last}; COMP_LINE='{line}'\n\
             _ntwatch ntwatch '{word}' '{before}'; echo \"${{COMPREPLY[@]}}\"\n"
        );
        let completed = with_input("bash", &["--norc"], &ask);
        assert_eq!(
            text(&completed.stdout).trim(),
            expected,
            "{line}: {}",
            text(&completed.stderr)
        );
    }
}

#[test]
fn every_shell_has_its_script() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = printed(&["completions", shell]);
        assert!(script.contains("exclude-image"), "{shell}");
    }
}

#[test]
fn every_command_has_a_page_that_groff_sets_without_a_warning() {
    for command in ALL {
        let page = printed(&[&["man"], *command].concat());
        let plain = ["-k", "-man", "-Tutf8", "-P-cbu", "-ww", "-rLL=78n"];
        let set = with_input("groff", &plain, &page);
        assert!(set.status.success(), "{command:?}");
        assert_eq!(text(&set.stderr), "", "{command:?}");
        let name = [&["ntwatch"], *command].concat().join("-");
        let title = format!("{name}(1)");
        let page = text(&set.stdout);
        assert!(page.starts_with(&title), "{page}");
        let (_, codes) = page.split_once("EXIT STATUS").unwrap();
        let examples = codes.split_once("EXAMPLES");
        assert_eq!(examples.is_some(), *command != ["protect"], "{page}");
        let (codes, examples) = examples.unwrap_or((codes, ""));
        assert!(codes.contains("wrong words on the command line"), "{page}");
        assert!(!examples.contains("Exit codes"), "{page}");
    }
}
