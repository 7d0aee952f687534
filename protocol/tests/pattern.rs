//! Image patterns, against their definition.

use ntwatch_protocol::pattern;
use proptest::prelude::*;

/// Upper case as Windows has it, near enough.
fn upcase(unit: u16) -> u16 {
    match unit {
        0x61..=0x7A => unit - 0x20,
        _ => unit,
    }
}

fn names(pattern: &str, image: &str) -> bool {
    let pattern: Vec<_> = pattern.encode_utf16().map(upcase).collect();
    pattern::names(&pattern, image.encode_utf16(), upcase)
}

#[test]
fn a_pattern_without_a_backslash_is_held_against_the_file_name() {
    assert!(names("CMD.exe", r"\Device\HarddiskVolume3\Windows\cmd.EXE"));
    assert!(names("bash", "/usr/bin/bash"));
    assert!(names("cmd.exe", "cmd.exe"));
    assert!(!names("windows*", r"\Device\Windows\cmd.exe"));
    assert!(names(r"*\windows\*", r"\Device\Windows\cmd.exe"));
    assert!(!names(r"\windows\*", r"\Device\Windows\cmd.exe"));
}

proptest! {
    #[test]
    fn wildcards_match_what_their_definition_says(
        pattern in r"[abAB?*]{1,8}", text in r"[ab]{0,10}",
    ) {
        fn defined(pattern: &[char], text: &[char]) -> bool {
            match (pattern, text) {
                ([], []) => true,
                (['*', rest @ ..], _) => {
                    (0..=text.len()).any(|taken| defined(rest, &text[taken..]))
                }
                (['?', pattern @ ..], [_, text @ ..]) => defined(pattern, text),
                ([p, pattern @ ..], [t, text @ ..]) => p == t && defined(pattern, text),
                _ => false,
            }
        }
        let upper = |s: &String| s.to_uppercase().chars().collect::<Vec<_>>();
        prop_assert_eq!(names(&pattern, &text), defined(&upper(&pattern), &upper(&text)));
    }
}
