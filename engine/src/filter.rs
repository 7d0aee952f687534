//! Which events a session wants: a CONFIGURE that passed every check, ready to be asked.

use crate::memory::{OutOfMemory, collect};
use alloc::vec::Vec;
use ntwatch_protocol::configure::{Clause, Configure};
use ntwatch_protocol::record::Kind;
use ntwatch_protocol::wide::Wide;

/// What a filter is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// What happened.
    pub kind: Kind,
    /// To which process.
    pub pid: u32,
    /// Its full path, else the name that it was started by.
    pub image: Option<Wide<'a>>,
}

/// A session's mask and clauses.
#[derive(Debug)]
pub struct Filter {
    mask: u32,
    pids: Vec<u32>,
    /// In upper case, each ended by a 0, which no path contains.
    patterns: Vec<u16>,
}

impl Filter {
    /// Keeps what `configure` asks for.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn new(
        configure: &Configure<'_>,
        upcase: impl Fn(u16) -> u16,
    ) -> Result<Self, OutOfMemory> {
        let pids = || {
            configure.clauses().filter_map(|clause| match clause {
                Clause::Process(selector) => Some(selector.pid),
                _ => None,
            })
        };
        let patterns = || {
            configure
                .clauses()
                .filter_map(|clause| match clause {
                    Clause::Image(pattern) => Some(pattern),
                    _ => None,
                })
                .flat_map(|pattern| pattern.units().map(&upcase).chain([0]))
        };
        Ok(Self {
            mask: configure.event_mask,
            pids: collect(pids().count(), pids())?,
            patterns: collect(patterns().count(), patterns())?,
        })
    }

    /// The kinds that the session asked for, a mask of [`Kind::bit`].
    #[must_use]
    pub const fn mask(&self) -> u32 {
        self.mask
    }

    /// Does the session want this event?
    pub fn passes(&self, subject: &Subject<'_>, upcase: impl Fn(u16) -> u16) -> bool {
        self.mask & subject.kind.bit() != 0
            && (self.pids.is_empty() || self.pids.contains(&subject.pid))
            && (self.patterns.is_empty()
                || subject.image.is_some_and(|image| {
                    self.patterns
                        .split(|unit| *unit == 0)
                        .filter(|pattern| !pattern.is_empty())
                        .any(|pattern| names(pattern, image, &upcase))
                }))
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
    use super::{Filter, Subject};
    use crate::testing::{configure_input, upcase, wide};
    use ntwatch_protocol::configure::{Clause, Configure, Selector};
    use ntwatch_protocol::record::Kind;
    use ntwatch_protocol::wide::Wide;
    use proptest::prelude::*;
    use std::string::String;
    use std::vec::Vec;

    fn filter(mask: u32, pids: &[u32], patterns: &[&str]) -> Filter {
        let patterns: Vec<_> = patterns.iter().map(|pattern| wide(pattern)).collect();
        let clauses: Vec<_> = pids
            .iter()
            .map(|pid| {
                Clause::Process(Selector {
                    pid: *pid,
                    flags: 0,
                    key: 0,
                })
            })
            .chain(patterns.iter().map(|p| Clause::Image(Wide::new(p))))
            .collect();
        let input = configure_input(mask, 0, &clauses);
        Filter::new(&Configure::parse(&input).unwrap(), upcase).unwrap()
    }

    fn passes(filter: &Filter, kind: Kind, pid: u32, image: Option<&str>) -> bool {
        let image = image.map(wide);
        let subject = Subject {
            kind,
            pid,
            image: image.as_deref().map(Wide::new),
        };
        filter.passes(&subject, upcase)
    }

    fn image_passes(pattern: &str, image: &str) -> bool {
        let filter = filter(Kind::ALL_EVENTS, &[], &[pattern]);
        passes(&filter, Kind::ProcessStart, 1, Some(image))
    }

    #[test]
    fn a_filter_without_clauses_asks_only_for_the_kind() {
        let filter = filter(Kind::ProcessExit.bit(), &[], &[]);
        assert!(passes(&filter, Kind::ProcessExit, 4, None));
        assert!(!passes(&filter, Kind::ProcessStart, 4, None));
    }

    #[test]
    fn clauses_of_one_kind_widen_and_those_of_different_kinds_narrow() {
        let filter = filter(Kind::ALL_EVENTS, &[4, 8], &["cmd.exe", "net*.exe"]);
        let cmd = Some(r"\Device\HarddiskVolume3\Windows\System32\cmd.exe");
        let net = Some(r"\Device\HarddiskVolume3\Windows\System32\net1.exe");
        assert!(passes(&filter, Kind::ProcessStart, 4, cmd));
        assert!(passes(&filter, Kind::ProcessExit, 8, net));
        assert!(!passes(&filter, Kind::ProcessStart, 5, cmd));
        assert!(!passes(
            &filter,
            Kind::ProcessStart,
            4,
            Some(r"\x\calc.exe")
        ));
        assert!(!passes(&filter, Kind::ProcessStart, 4, None));
    }

    #[test]
    fn a_pattern_without_a_backslash_is_held_against_the_file_name() {
        assert!(image_passes(
            "CMD.exe",
            r"\Device\HarddiskVolume3\Windows\cmd.EXE"
        ));
        assert!(image_passes("bash", "/usr/bin/bash"));
        assert!(image_passes("cmd.exe", "cmd.exe"));
        assert!(!image_passes("windows*", r"\Device\Windows\cmd.exe"));
        assert!(image_passes(r"*\windows\*", r"\Device\Windows\cmd.exe"));
        assert!(!image_passes(r"\windows\*", r"\Device\Windows\cmd.exe"));
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
                image_passes(&pattern, &text),
                defined(&upper(&pattern), &upper(&text))
            );
        }
    }
}
