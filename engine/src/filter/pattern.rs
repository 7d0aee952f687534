//! Image patterns.

use crate::memory::{OutOfMemory, collect};
use alloc::vec::Vec;
use ntwatch_protocol::wide::Wide;

/// Any number of patterns: in upper case, one after another, each behind its length.
#[derive(Debug)]
pub(super) struct Patterns(Vec<u16>);

impl Patterns {
    pub(super) fn new<'a>(
        patterns: impl Iterator<Item = Wide<'a>> + Clone,
        upcase: impl Fn(u16) -> u16,
    ) -> Result<Self, OutOfMemory> {
        // At most `MAX_PATTERN_UNITS` long.
        let length = |pattern: Wide<'_>| pattern.len() as u16;
        let units = patterns.flat_map(|pattern| {
            let units = pattern.units().map(&upcase);
            core::iter::once(length(pattern)).chain(units)
        });
        Ok(Self(collect(units.clone().count(), units)?))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Does any of them name `image`?
    pub(super) fn name(&self, image: Wide<'_>, upcase: impl Fn(u16) -> u16) -> bool {
        self.iter().any(|pattern| names(pattern, image, &upcase))
    }

    fn iter(&self) -> impl Iterator<Item = &[u16]> {
        let mut rest = self.0.as_slice();
        core::iter::from_fn(move || {
            let (length, units) = rest.split_first()?;
            let (pattern, next) = units.split_at_checked(usize::from(*length))?;
            rest = next;
            Some(pattern)
        })
    }
}

const BACKSLASH: u16 = b'\\' as u16;
const SLASH: u16 = b'/' as u16;
const ANY_TEXT: u16 = b'*' as u16;
const ANY_UNIT: u16 = b'?' as u16;

/// Is `image` one of those that `pattern` names?
fn names(pattern: &[u16], image: Wide<'_>, upcase: impl Fn(u16) -> u16) -> bool {
    if pattern.contains(&BACKSLASH) || pattern.contains(&SLASH) {
        return matches(pattern, image.units(), upcase);
    }
    // N.B. The image of a WSL process is a Linux path.
    let is_separator = |unit: u16| unit == BACKSLASH || unit == SLASH;
    let directory = image
        .units()
        .rev()
        .position(is_separator)
        .map_or(0, |last| image.len().saturating_sub(last));
    matches(pattern, image.units().skip(directory), upcase)
}

/// Does `text` as a whole match? Each `*` first takes nothing; on a mismatch the last one takes
/// a unit more. No recursion; at most pattern × text steps.
fn matches(
    pattern: &[u16],
    text: impl Iterator<Item = u16> + Clone,
    upcase: impl Fn(u16) -> u16,
) -> bool {
    let mut pattern = pattern.iter().copied();
    let mut text = text;
    let mut last_star = None;
    loop {
        let mut next_pattern = pattern.clone();
        let mut next_text = text.clone();
        match (next_pattern.next(), next_text.next()) {
            (Some(ANY_TEXT), _) => {
                pattern = next_pattern;
                last_star = Some((pattern.clone(), text.clone()));
                continue;
            }
            (None, None) => return true,
            (Some(wanted), Some(unit)) if wanted == ANY_UNIT || wanted == upcase(unit) => {
                pattern = next_pattern;
                text = next_text;
                continue;
            }
            _ => {}
        }
        let Some((after_star, rest)) = &mut last_star else {
            return false;
        };
        if rest.next().is_none() {
            return false;
        }
        pattern = after_star.clone();
        text = rest.clone();
    }
}

#[cfg(test)]
mod tests {
    use super::Patterns;
    use crate::testing::{upcase, wide};
    use ntwatch_protocol::wide::Wide;
    use proptest::prelude::*;
    use std::string::String;
    use std::vec::Vec;

    fn name(patterns: &[&str], image: &str) -> bool {
        let patterns: Vec<_> = patterns.iter().map(|pattern| wide(pattern)).collect();
        let patterns = patterns.iter().map(|pattern| Wide::new(pattern));
        let patterns = Patterns::new(patterns, upcase).unwrap();
        patterns.name(Wide::new(&wide(image)), upcase)
    }

    #[test]
    fn a_pattern_without_a_backslash_is_held_against_the_file_name() {
        assert!(name(
            &["CMD.exe"],
            r"\Device\HarddiskVolume3\Windows\cmd.EXE"
        ));
        assert!(name(&["bash"], "/usr/bin/bash"));
        assert!(name(&["cmd.exe"], "cmd.exe"));
        assert!(!name(&["windows*"], r"\Device\Windows\cmd.exe"));
        assert!(name(&[r"*\windows\*"], r"\Device\Windows\cmd.exe"));
        assert!(!name(&[r"\windows\*"], r"\Device\Windows\cmd.exe"));
    }

    #[test]
    fn one_pattern_of_many_is_enough_and_each_stands_for_itself() {
        assert!(name(&["a", "*\0", "c"], "C"));
        assert!(!name(&["a", "*\0", "c"], "b"), "a NUL ends no pattern");
        assert!(!name(&["cmd", ".exe"], "cmd.exe"));
        assert!(!name(&[], "cmd.exe"));
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
            prop_assert_eq!(
                name(&[&pattern], &text),
                defined(&upper(&pattern), &upper(&text))
            );
        }
    }
}
