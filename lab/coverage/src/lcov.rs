//! What `llvm-cov export --format=lcov` writes: for each file its functions and lines, and how
//! often each has run (the format's page is "geninfo", of LCOV).

use std::{
    collections::BTreeMap,
    fs,
    path::{Component, Path},
};

use crate::{
    places::{Place, plain},
    report::Item,
};

/// Why a line of a tracefile cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {number} is none of a tracefile: {line}")]
pub struct LcovError {
    /// Its number, from 1.
    pub number: usize,
    /// The line.
    pub line: String,
}

/// The lines of code in `tracefile`, with paths relative to `workspace`. What other people wrote is
/// left out, and so is what tests: files for that, and what follows `mod tests {` in others.
///
/// # Errors
/// [`LcovError`] about the first line that is wrong.
pub fn lines(tracefile: &str, workspace: &Path) -> Result<Vec<Item>, LcovError> {
    let mut items = Vec::new();
    let mut file = SourceFile::default();
    for (number, line) in tracefile.lines().enumerate() {
        let error = || LcovError {
            number: number + 1,
            line: line.to_owned(),
        };
        let Some((key, value)) = line.split_once(':') else {
            if line == "end_of_record" {
                items.extend(std::mem::take(&mut file).items());
                continue;
            }
            return Err(error());
        };
        match key {
            "SF" => file = SourceFile::new(Path::new(value), workspace),
            _ if file.name.is_empty() => {}
            "FN" => file.function(value).ok_or_else(error)?,
            "DA" => file.line(value).ok_or_else(error)?,
            // Sums, and what is not asked for: branches.
            _ => {}
        }
    }
    Ok(items)
}

/// Whether a file of the workspace is there to test others.
fn tests(file: &Path) -> bool {
    let names = file.components().filter_map(|part| match part {
        Component::Normal(name) => Path::new(name).file_stem()?.to_str(),
        _ => None,
    });
    names
        .into_iter()
        .any(|name| matches!(name, "tests" | "testing"))
}

/// One file, as far as it was read.
#[derive(Default)]
struct SourceFile {
    /// Nothing if its lines do not count.
    name: String,
    /// Where its tests begin.
    end: Option<u32>,
    /// By the line that they begin in.
    functions: BTreeMap<u32, String>,
    lines: BTreeMap<u32, u64>,
}

impl SourceFile {
    fn new(path: &Path, workspace: &Path) -> Self {
        let Ok(name) = path.strip_prefix(workspace) else {
            return Self::default();
        };
        if tests(name) {
            return Self::default();
        }
        let source = fs::read_to_string(path).unwrap_or_default();
        let tests = source
            .lines()
            .position(|line| line.starts_with("mod tests {"));
        Self {
            name: name.to_string_lossy().into_owned(),
            end: tests.map(|line| line as u32 + 1),
            ..Self::default()
        }
    }

    /// `line,name`, or `line,line of the end,name`.
    fn function(&mut self, value: &str) -> Option<()> {
        let (line, rest) = value.split_once(',')?;
        let name = rest.rsplit_once(',').map_or(rest, |(_, name)| name);
        let name = format!("{:#}", rustc_demangle::demangle(name));
        // The instances of a generic function begin in one line.
        let known = self.functions.entry(line.parse().ok()?);
        known.or_insert_with(|| plain(&name));
        Some(())
    }

    /// `line,how often`, maybe with a checksum.
    fn line(&mut self, value: &str) -> Option<()> {
        let mut values = value.split(',');
        let times = self.lines.entry(values.next()?.parse().ok()?).or_default();
        *times = times.saturating_add(values.next()?.parse().ok()?);
        Some(())
    }

    fn items(self) -> impl Iterator<Item = Item> {
        let end = self.end.unwrap_or(u32::MAX);
        let lines = self
            .lines
            .into_iter()
            .take_while(move |(line, _)| *line < end);
        lines.map(move |(line, times)| {
            let function = self.functions.range(..=line).next_back();
            Item {
                place: Place {
                    file: self.name.clone(),
                    function: function.map_or_else(String::new, |(_, name)| name.clone()),
                    line,
                },
                ran: times > 0,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TRACEFILE: &str = "\
SF:/room/ring/src/size.rs
FN:3,_RNvCs1234_4ring4size
FN:8,_RNvCs1234_4ring5round
FNDA:2,_RNvCs1234_4ring4size
DA:3,2
DA:4,0
DA:8,0
LF:3
end_of_record
";

    #[test]
    fn a_line_belongs_to_the_function_that_begins_before_it() {
        let items = lines(TRACEFILE, Path::new("/room")).unwrap();
        let seen: Vec<_> = items
            .iter()
            .map(|item| (item.place.line, item.place.function.as_str(), item.ran))
            .collect();
        assert_eq!(
            seen,
            [
                (3, "ring::size", true),
                (4, "ring::size", false),
                (8, "ring::round", false)
            ]
        );
        assert_eq!(items[0].place.file, "ring/src/size.rs");
    }

    #[test]
    fn tests_of_a_file_are_no_code_of_it() {
        let room = tempfile::tempdir().unwrap();
        let source = room.path().join("lib.rs");
        fs::write(
            &source,
            "fn f() {}\n#[cfg(test)]\nmod tests {\nfn g() {}\n}\n",
        )
        .unwrap();
        let tracefile = format!("SF:{}\nDA:1,1\nDA:4,0\nend_of_record\n", source.display());
        let items = lines(&tracefile, room.path()).unwrap();
        assert_eq!(items.len(), 1);
        assert_eq!(items[0].place.line, 1);
    }

    #[test]
    fn only_what_we_wrote_and_is_no_test_counts() {
        let files = [
            "/else/src/lib.rs",
            "/tests/room/src/tests.rs",
            "/tests/room/a/tests/b.rs",
        ];
        for file in files {
            let tracefile = format!("SF:{file}\nFN:1,f\nDA:1,1\nend_of_record\n");
            assert!(
                lines(&tracefile, Path::new("/tests/room"))
                    .unwrap()
                    .is_empty(),
                "{file}"
            );
        }
        let tracefile = "SF:/tests/room/src/lib.rs\nDA:1,1\nend_of_record\n";
        assert_eq!(lines(tracefile, Path::new("/tests/room")).unwrap().len(), 1);
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        let error = lines("SF:/a\nDA:one,2\n", Path::new("/")).unwrap_err();
        assert_eq!((error.number, error.line.as_str()), (2, "DA:one,2"));
    }

    proptest! {
        #[test]
        fn whatever_is_in_a_tracefile_is_read_or_refused(
            text in "((SF|FN|DA|end_of_record)?[:,]?[0-9a-z]{0,24},?[0-9]{0,24}\n){0,8}"
        ) {
            let _ = lines(&text, Path::new("/"));
        }
    }
}
