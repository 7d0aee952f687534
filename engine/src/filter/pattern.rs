//! Image patterns.

use crate::memory::{OutOfMemory, collect};
use alloc::vec::Vec;
use ntwatch_protocol::pattern;
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
        self.iter()
            .any(|pattern| pattern::names(pattern, image.units(), &upcase))
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

#[cfg(test)]
mod tests {
    use super::Patterns;
    use crate::testing::{upcase, wide};
    use ntwatch_protocol::wide::Wide;
    use std::vec::Vec;

    fn name(patterns: &[&str], image: &str) -> bool {
        let patterns: Vec<_> = patterns.iter().map(|pattern| wide(pattern)).collect();
        let patterns = patterns.iter().map(|pattern| Wide::new(pattern));
        let patterns = Patterns::new(patterns, upcase).unwrap();
        patterns.name(Wide::new(&wide(image)), upcase)
    }

    #[test]
    fn one_pattern_of_many_is_enough_and_each_stands_for_itself() {
        assert!(name(&["a", "*\0", "c"], "C"));
        assert!(!name(&["a", "*\0", "c"], "b"), "a NUL ends no pattern");
        assert!(!name(&["cmd", ".exe"], "cmd.exe"));
        assert!(!name(&[], "cmd.exe"));
    }
}
