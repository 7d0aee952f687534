//! What a check tells about its work: how many cases it has seen.
//!
//! A test tells by [`tell`]; whoever runs tests for a table of figures names a file in
//! [`VARIABLE`] and reads it by [`read`]. Where nobody asks, nothing is written.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;
use std::{env, fs};

/// The variable of the environment that names the file in which figures are kept.
pub const VARIABLE: &str = "NTWATCH_FIGURES";

/// One figure of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// What was checked, in few words: "calls that fail, one at a time".
    pub check: String,
    /// How many cases there were.
    pub cases: u64,
    /// What a case is, in the plural: "calls".
    pub of: String,
}

/// Adds a figure to the file that [`VARIABLE`] names, if it does.
///
/// Programs may tell at once: a figure is one write at the file's end.
///
/// # Panics
/// When the file cannot be written. When `check` or `of` has a tab or a line's end.
pub fn tell(check: &str, cases: u64, of: &str) {
    if let Some(path) = env::var_os(VARIABLE) {
        let path = Path::new(&path);
        add(path, check, cases, of)
            .unwrap_or_else(|error| panic!("{}: no figure written: {error}", path.display()));
    }
}

fn add(path: &Path, check: &str, cases: u64, of: &str) -> io::Result<()> {
    for text in [check, of] {
        assert!(!text.contains(['\t', '\n']), "{text:?} is not one cell");
    }
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(format!("{check}\t{cases}\t{of}\n").as_bytes())
}

/// The figures in a file, in the order in which they were told.
///
/// # Errors
/// When the file cannot be read, or a line of it is no figure.
pub fn read(path: &Path) -> io::Result<Vec<Figure>> {
    let text = fs::read_to_string(path)?;
    text.lines().map(figure).collect()
}

fn figure(line: &str) -> io::Result<Figure> {
    let cells: Vec<&str> = line.split('\t').collect();
    let parsed = match cells[..] {
        [check, cases, of] => cases.parse().ok().map(|cases| Figure {
            check: check.to_owned(),
            cases,
            of: of.to_owned(),
        }),
        _ => None,
    };
    let not_one = || io::Error::new(io::ErrorKind::InvalidData, format!("{line:?} is no figure"));
    parsed.ok_or_else(not_one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_as_they_were_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("figures");
        add(&path, "rounds of racing threads", 500, "rounds").unwrap();
        add(&path, "calls that fail", 71, "calls").unwrap();
        let figures = read(&path).unwrap();
        assert_eq!(figures.len(), 2);
        assert_eq!(figures[1].check, "calls that fail");
        assert_eq!((figures[1].cases, figures[1].of.as_str()), (71, "calls"));
    }

    #[test]
    fn a_line_that_is_no_figure_is_named() {
        for line in ["calls", "calls\tmany\tcalls", "a\t1\tb\tc"] {
            let error = figure(line).unwrap_err();
            assert!(error.to_string().contains("is no figure"), "{error}");
        }
    }
}
