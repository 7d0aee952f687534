//! A file that bears another name until it is whole.

use super::write::Out;
use super::{GROWING, RecordingError, parquet};
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// A file that is being written.
pub(super) struct Growing {
    /// The name that it is to have.
    path: PathBuf,
    /// The name that it has.
    now: PathBuf,
}

impl Growing {
    /// Creates a file that will be called `path`, and only then takes the place of one of that name,
    /// if it may `overwrite`. A device or a pipe of that name is written as it is; `-` is standard
    /// output.
    pub(super) fn create(path: &Path, overwrite: bool) -> Result<(Self, Out), RecordingError> {
        if path == Path::new("-") {
            let name = PathBuf::from("standard output");
            let (path, now) = (name.clone(), name);
            return Ok((Self { path, now }, Box::new(io::stdout())));
        }
        let cannot = |path: &Path, error: io::Error| RecordingError::Write {
            path: path.into(),
            error,
        };
        let there = fs::metadata(path).ok();
        if there.as_ref().is_some_and(|data| data.is_dir()) {
            return Err(cannot(path, io::ErrorKind::IsADirectory.into()));
        }
        let is_file = there.as_ref().is_none_or(|data| data.is_file());
        if is_file && there.is_some() && !overwrite {
            return Err(RecordingError::Exists { path: path.into() });
        }
        let now = match is_file {
            true => path.with_added_extension(GROWING),
            false => path.to_owned(),
        };
        let mut options = OpenOptions::new();
        options.write(true);
        match (is_file, overwrite) {
            (true, true) => options.create(true).truncate(true),
            (true, false) => options.create_new(true),
            (false, _) => &mut options,
        };
        match options.open(&now) {
            Ok(file) => {
                let path = path.to_owned();
                // Of another file of this name that was not finished.
                remove_footer(&now);
                Ok((Self { path, now }, Box::new(file)))
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(RecordingError::Unfinished { path: now })
            }
            Err(error) => Err(cannot(&now, error)),
        }
    }

    /// The name that it has now.
    pub(super) fn now(&self) -> &Path {
        &self.now
    }

    /// Puts the footer that it has so far beside it, at once.
    pub(super) fn put_footer(&self, bytes: &[u8]) -> io::Result<()> {
        let Some(footer) = parquet::footer(&self.now) else {
            return Ok(());
        };
        let new = footer.with_added_extension("new");
        fs::write(&new, bytes)?;
        fs::rename(new, footer)
    }

    /// It is whole.
    pub(super) fn finish(self) -> Result<(), RecordingError> {
        if self.now == self.path {
            return Ok(());
        }
        fs::rename(&self.now, &self.path).map_err(|error| RecordingError::Write {
            path: self.path,
            error,
        })?;
        remove_footer(&self.now);
        Ok(())
    }

    /// It will not be.
    pub(super) fn discard(self) {
        if self.now != self.path {
            // Whoever finds what is left knows by its name what it is.
            let _ = fs::remove_file(&self.now);
            remove_footer(&self.now);
        }
    }
}

/// Removes the footer of a file that grows, if there is one.
fn remove_footer(growing: &Path) {
    if let Some(footer) = parquet::footer(growing) {
        let _ = fs::remove_file(footer);
    }
}
