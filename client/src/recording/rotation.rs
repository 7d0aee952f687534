//! Recordings in parts.

use super::{GROWING, RecordingError};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// When to begin another file. By default never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    /// A part is whole when it is so old,
    pub time: Option<Duration>,
    /// or has so many bytes.
    pub bytes: Option<u64>,
}

impl Rotation {
    /// Is a part whole that is so old and has so many bytes?
    pub(super) fn is_due(&self, old: Duration, written: u64) -> bool {
        self.time.is_some_and(|time| old >= time)
            || self.bytes.is_some_and(|bytes| written >= bytes)
    }

    /// The name of a part.
    pub(super) fn part(&self, path: &Path, number: u32) -> PathBuf {
        if *self == Self::default() {
            return path.to_owned();
        }
        let mut name = path.file_stem().map(OsString::from).unwrap_or_default();
        name.push(format!("-{number:06}"));
        let part = path.with_file_name(name);
        match path.extension() {
            Some(extension) => part.with_added_extension(extension),
            None => part,
        }
    }

    /// The parts of another recording of this name, if they may be replaced.
    pub(super) fn replaced(
        &self,
        path: &Path,
        overwrite: bool,
    ) -> Result<Vec<PathBuf>, RecordingError> {
        if *self == Self::default() {
            return Ok(Vec::new());
        }
        let is_other = |data: fs::Metadata| !data.is_file() && !data.is_dir();
        if path == Path::new("-") || path.metadata().is_ok_and(is_other) {
            return Err(RecordingError::Rotation { path: path.into() });
        }
        let mut parts = parts(path);
        match parts.pop_if(|_| !overwrite) {
            Some(path) if path.extension().is_some_and(|end| end == GROWING) => {
                Err(RecordingError::Unfinished { path })
            }
            Some(path) => Err(RecordingError::Exists { path }),
            None => Ok(parts),
        }
    }
}

/// The parts of a recording that are there, grown or growing.
fn parts(path: &Path) -> Vec<PathBuf> {
    let directory = match path.parent() {
        Some(directory) if directory != Path::new("") => directory,
        _ => Path::new("."),
    };
    // A directory that cannot be read cannot be written either, which is told in its turn.
    let files = fs::read_dir(directory).into_iter().flatten().flatten();
    let files = files.map(|file| directory.join(file.file_name()));
    files.filter(|file| is_part(file, path)).collect()
}

/// Is this a file that a recording of this name has made?
fn is_part(file: &Path, path: &Path) -> bool {
    let mut file = file.to_owned();
    if file.extension().is_some_and(|end| end == GROWING) {
        file.set_extension("");
    }
    let [name, whole] =
        [file.file_stem(), path.file_stem()].map(|stem| stem.and_then(|s| s.to_str()));
    let (Some(name), Some(whole)) = (name, whole) else {
        return false;
    };
    let number = name
        .strip_prefix(whole)
        .and_then(|rest| rest.strip_prefix('-'));
    let is_number =
        |text: &str| text.len() >= 6 && text.bytes().all(|digit| digit.is_ascii_digit());
    number.is_some_and(is_number) && file.extension() == path.extension()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_known_by_its_name() {
        let is_part = |file| is_part(Path::new(file), Path::new("to/day.jsonl"));
        assert!(is_part("to/day-000001.jsonl"));
        assert!(is_part("to/day-1000000.jsonl.growing"));
        for other in [
            "to/day.jsonl",
            "to/day-1.jsonl",
            "to/day-000001.csv",
            "to/day-00000x.jsonl",
            "to/today-000001.jsonl",
            "to/day-000001.jsonl.footer",
        ] {
            assert!(!is_part(other), "{other}");
        }
    }
}
