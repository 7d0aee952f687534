//! What a console shows. A pseudo terminal plays it, which Wine's `conhost` writes to.
//!
//! N.B. Wine 8 agrees to `ENABLE_VIRTUAL_TERMINAL_PROCESSING` and processes nothing: sequences reach
//! the terminal as they are, and count as columns. So lines are measured without colours, and that a
//! line as wide as the window leaves no empty one behind it is not shown.

use ntwatch_wine_check::{Folder, Wine, text};
use std::fs;
use std::process::{Command, Stdio};

/// An event of each kind.
const KINDS: &str = include_str!("../../../../../client/tests/common/kinds.jsonl");
/// What no code page has all of.
const LANGUAGES: &str = "Повесть 家 ┌─┤é│ שלום ﷺ";
const COMMAND_LINE: &str = r#"\"C:\\Windows\\System32\\cmd.exe\" /c \"echo a\""#;

/// What there is on the terminal when a command has ended well: without what moves the cursor, and with
/// `\r` only where the program wrote one.
fn screen(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output();
    let output = output.expect("`script` is there");
    let screen = text(&output.stdout);
    assert!(output.status.success(), "{screen}");
    let mut parts = screen.split("\u{1b}[");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| c.is_ascii_alphabetic());
        let (sequence, rest) = part.split_at(end.expect("a sequence ends") + 1);
        match sequence.split_at(sequence.len() - 1) {
            (_, "m") => shown += &format!("\u{1b}[{sequence}"),
            // Blanks are passed over.
            (columns, "C") => shown += &" ".repeat(columns.parse().unwrap_or(1)),
            _ => {}
        }
        shown += rest;
    }
    shown.replace("\r\r\n", "\n").replace("\r\n", "\n")
}

/// A recording with text in many languages, many times.
fn write_many(folder: &Folder) {
    let kinds = KINDS.replace(COMMAND_LINE, LANGUAGES);
    assert!(kinds.contains(LANGUAGES));
    let (host, events) = kinds.split_once('\n').expect("lines");
    let all = format!("{host}\n{}", events.repeat(50));
    fs::write(folder.here().join("many.jsonl"), all).expect("a file in a folder of ours");
}

#[test]
fn text_in_any_language_comes_whole_wherever_errors_go() {
    let wine = Wine::get();
    let folder = wine.folder("languages");
    write_many(&folder);
    let file = folder.there("many.jsonl");
    let written = wine.ntwatch(&["show", "--format", "jsonl", &file]).stdout;
    let written = text(&written).replace('\n', "");
    assert!(written.contains(LANGUAGES));
    for errors in ["", "2> /dev/null"] {
        let words = format!("show --format jsonl '{file}' {errors}");
        // Lines that the console had to break are whole again.
        let shown = screen(&mut wine.on_terminal(200, &words)).replace('\n', "");
        let same = shown
            .chars()
            .zip(written.chars())
            .take_while(|(shown, written)| shown == written);
        let same: String = same.map(|(shown, _)| shown).collect();
        let apart = (&shown[same.len()..], &written[same.len()..]);
        assert_eq!(apart, ("", ""), "{errors}");
    }
}

#[test]
fn a_console_has_colours_unless_they_are_not_wanted() {
    let wine = Wine::get();
    let folder = wine.folder("colours");
    fs::write(folder.here().join("kinds.jsonl"), KINDS).expect("a file in a folder of ours");
    let words = format!("show '{}'", folder.there("kinds.jsonl"));
    for words in [words.clone(), format!("{words} 2> /dev/null")] {
        let coloured = screen(&mut wine.on_terminal(200, &words));
        for word in ["start", "image", "thread", "open"] {
            let word = format!("m{word:<6}\u{1b}[0m");
            assert!(coloured.contains(&word), "{word} in:\n{coloured}");
        }
    }
    let plain = screen(wine.on_terminal(200, &words).env("NO_COLOR", "1"));
    assert!(plain.contains(" start "), "{plain}");
    assert!(!plain.contains('\u{1b}'), "{plain}");
}

#[test]
fn lines_are_cut_to_the_width_of_the_console() {
    let wine = Wine::get();
    let folder = wine.folder("widths");
    fs::write(folder.here().join("kinds.jsonl"), KINDS).expect("a file in a folder of ours");
    let words = format!("show --count 1 '{}'", folder.there("kinds.jsonl"));
    for columns in [90, 100] {
        let shown = screen(wine.on_terminal(columns, &words).env("NO_COLOR", "1"));
        let line = shown.lines().find(|line| line.contains(" start "));
        let line = line.unwrap_or_else(|| panic!("no start in:\n{shown}"));
        assert!(line.ends_with('…'), "{line}");
        assert_eq!(line.chars().count(), columns as usize, "{line}");
    }
}
