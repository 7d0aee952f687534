//! Arguments out of a command line.

use std::iter::{Peekable, repeat_n};
use std::str::Chars;

/// The arguments that a program finds which takes its command line apart as Microsoft's C runtime
/// does (page "Parsing C command-line arguments"), as nearly all do. Windows itself knows of none.
pub(super) fn split(command_line: &str) -> Vec<String> {
    let mut rest = command_line.chars().peekable();
    if rest.peek().is_none() {
        return Vec::new();
    }
    let mut arguments = vec![program(&mut rest)];
    while let Some(argument) = argument(&mut rest) {
        arguments.push(argument);
    }
    arguments
}

/// The first one: a path, in which a backslash stands for nothing else.
fn program(rest: &mut Peekable<Chars<'_>>) -> String {
    let mut program = String::new();
    let mut quoted = false;
    while let Some(c) = rest.next_if(|c| quoted || !separates(*c)) {
        match c {
            '"' => quoted = !quoted,
            c => program.push(c),
        }
    }
    program
}

fn argument(rest: &mut Peekable<Chars<'_>>) -> Option<String> {
    while rest.next_if(|c| separates(*c)).is_some() {}
    rest.peek()?;
    let mut argument = String::new();
    let mut quoted = false;
    while let Some(c) = rest.next_if(|c| quoted || !separates(*c)) {
        match c {
            '\\' => backslashes(rest, &mut argument),
            // N.B. Two quotes inside quotes are one of the argument's own.
            '"' if quoted && rest.next_if_eq(&'"').is_some() => argument.push('"'),
            '"' => quoted = !quoted,
            c => argument.push(c),
        }
    }
    Some(argument)
}

/// The first backslash is taken already. Before a quote two stand for one, and an odd one takes the
/// quote's meaning.
fn backslashes(rest: &mut Peekable<Chars<'_>>, argument: &mut String) {
    let mut count = 1;
    while rest.next_if_eq(&'\\').is_some() {
        count += 1;
    }
    if rest.peek() == Some(&'"') {
        argument.extend(repeat_n('\\', count / 2));
        if count % 2 == 1 {
            argument.extend(rest.next());
        }
    } else {
        argument.extend(repeat_n('\\', count));
    }
}

const fn separates(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A command line from which [`split`] gets these arguments.
    fn join(program: &str, arguments: &[String]) -> String {
        let mut line = format!("\"{program}\"");
        for argument in arguments {
            line.push_str(" \"");
            let mut backslashes = 0;
            for c in argument.chars() {
                match c {
                    '\\' => backslashes += 1,
                    // Two for each of those before, and one for the quote.
                    '"' => line.extend(repeat_n('\\', backslashes + 1)),
                    _ => {}
                }
                if c != '\\' {
                    backslashes = 0;
                }
                line.push(c);
            }
            line.extend(repeat_n('\\', backslashes));
            line.push('"');
        }
        line
    }

    #[test]
    fn arguments_are_those_of_the_page() {
        for (line, expected) in [
            (r#"x.exe "a b c" d e"#, &["x.exe", "a b c", "d", "e"][..]),
            (r#"x.exe "ab\"c" "\\" d"#, &["x.exe", r#"ab"c"#, r"\", "d"]),
            (
                r#"x.exe a\\\b d"e f"g h"#,
                &["x.exe", r"a\\\b", "de fg", "h"],
            ),
            (r#"x.exe a\\\"b c d"#, &["x.exe", r#"a\"b"#, "c", "d"]),
            (r#"x.exe a\\\\"b c" d e"#, &["x.exe", r"a\\b c", "d", "e"]),
            (r#"x.exe a"b"" c d"#, &["x.exe", r#"ab" c d"#]),
            (
                r#""C:\Program Files\x\" /s  "" "#,
                &[r"C:\Program Files\x\", "/s", ""],
            ),
            ("", &[]),
        ] {
            assert_eq!(split(line), expected, "{line}");
        }
    }

    proptest! {
        #[test]
        fn arguments_that_were_quoted_are_found_again(
            program in r"[a-z:\\ .]{1,20}",
            arguments in prop::collection::vec("[a\\\\\" \t\r\nä]{0,12}", 0..4),
        ) {
            let mut expected = vec![program.clone()];
            expected.extend(arguments.iter().cloned());
            prop_assert_eq!(split(&join(&program, &arguments)), expected);
        }

        #[test]
        fn any_text_has_arguments(line in "\\PC*") {
            prop_assert_eq!(split(&line).is_empty(), line.is_empty());
        }
    }
}
