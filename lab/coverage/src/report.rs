//! What has run, summed up; what has not, by name.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::places::Place;

/// A piece of code that has run or not: a block, or a line.
#[derive(Debug, Clone)]
pub struct Item {
    /// Where it is.
    pub place: Place,
    /// Whether it has run.
    pub ran: bool,
}

/// How many have run.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Those.
    pub ran: usize,
    /// All.
    pub all: usize,
}

/// What is known of one function.
#[derive(Debug, Default)]
struct Function {
    tally: Tally,
    /// The lines of what has not run.
    missed: BTreeSet<u32>,
}

/// All that is known of one kind of items.
#[derive(Debug, Default)]
pub struct Report {
    /// By file, then by name.
    files: BTreeMap<String, BTreeMap<String, Function>>,
}

/// Where code of other people is counted.
const LIBRARIES: &str = "libraries";

impl Tally {
    fn add(&mut self, other: Tally) {
        self.ran += other.ran;
        self.all += other.all;
    }

    /// How many have not run.
    #[must_use]
    pub fn missed(self) -> usize {
        self.all - self.ran
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = 100.0 * self.ran as f64 / self.all.max(1) as f64;
        write!(f, "{:>5} of {:>5}  {percent:>5.1} %", self.ran, self.all)
    }
}

impl FromIterator<Item> for Report {
    fn from_iter<I: IntoIterator<Item = Item>>(items: I) -> Self {
        let mut report = Self::default();
        for Item { place, ran } in items {
            let functions = report.files.entry(place.file).or_default();
            let function = functions.entry(place.function).or_default();
            function.tally.add(Tally {
                ran: ran.into(),
                all: 1,
            });
            if !ran {
                function.missed.insert(place.line);
            }
        }
        report
    }
}

impl Report {
    /// Of everything.
    #[must_use]
    pub fn total(&self) -> Tally {
        let mut total = Tally::default();
        self.functions()
            .for_each(|(_, function)| total.add(function.tally));
        total
    }

    /// Of each crate of the workspace, and of [`LIBRARIES`].
    #[must_use]
    pub fn crates(&self) -> BTreeMap<&str, Tally> {
        let mut crates: BTreeMap<&str, Tally> = BTreeMap::new();
        for (file, function) in self.functions() {
            let name = match file.split_once('/') {
                Some((name, _)) if !name.is_empty() => name,
                _ => LIBRARIES,
            };
            crates.entry(name).or_default().add(function.tally);
        }
        crates
    }

    fn functions(&self) -> impl Iterator<Item = (&str, &Function)> {
        let files = self.files.iter();
        files.flat_map(|(file, functions)| functions.values().map(|f| (file.as_str(), f)))
    }

    /// What has not run: by file, each function with something left.
    #[must_use]
    pub fn missed(&self) -> String {
        use fmt::Write as _;
        let mut text = String::new();
        for (file, functions) in &self.files {
            let left = |function: &Function| function.tally.missed() > 0;
            if !functions.values().any(left) {
                continue;
            }
            let _ = writeln!(text, "{file}");
            for (name, function) in functions.iter().filter(|(_, function)| left(function)) {
                let Tally { all, .. } = function.tally;
                let missed = function.tally.missed();
                let lines = ranges(&function.missed);
                let _ = writeln!(text, "  {missed:>3} of {all:>3}  {name}: {lines}");
            }
        }
        text
    }
}

/// `3, 5-7`.
fn ranges(lines: &BTreeSet<u32>) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for &line in lines {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == line => *last = line,
            _ => ranges.push((line, line)),
        }
    }
    let ranges = ranges.iter().map(|(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    });
    ranges.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(file: &str, function: &str, line: u32, ran: bool) -> Item {
        let place = Place {
            file: file.to_owned(),
            function: function.to_owned(),
            line,
        };
        Item { place, ran }
    }

    fn report() -> Report {
        [
            item("ring/src/size.rs", "ring::size", 3, true),
            item("ring/src/size.rs", "ring::size", 4, false),
            item("ring/src/size.rs", "ring::size", 5, false),
            item("ring/src/size.rs", "ring::size", 9, false),
            item("ring/src/line.rs", "ring::line", 1, true),
            item("/rustc/core/src/mem.rs", "core::mem::swap", 1, true),
        ]
        .into_iter()
        .collect()
    }

    #[test]
    fn what_has_run_is_summed_up_by_crate() {
        let report = report();
        assert_eq!(report.total(), Tally { ran: 3, all: 6 });
        let crates = report.crates();
        assert_eq!(crates["ring"], Tally { ran: 2, all: 5 });
        assert_eq!(crates[LIBRARIES], Tally { ran: 1, all: 1 });
    }

    #[test]
    fn what_has_not_run_is_named() {
        assert_eq!(
            report().missed(),
            "ring/src/size.rs\n    3 of   4  ring::size: 4-5, 9\n"
        );
    }
}
