//! A file that bears another name until it is whole.

use super::write::Out;
use super::{RecordingError, growing, parquet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file that is being written.
pub(super) struct Growing {
    /// The name that it is to have.
    path: PathBuf,
    /// The name that it has.
    now: PathBuf,
    /// Itself, to be synchronised with the disk; `None` if it is no file.
    file: Option<File>,
}

impl Growing {
    /// Creates a file that will be called `path`, and only then takes the place of one of that name,
    /// if it may `overwrite`. A device or a pipe of that name is written as it is; `-` is standard
    /// output.
    pub(super) fn create(path: &Path, overwrite: bool) -> Result<(Self, Out), RecordingError> {
        if path == Path::new("-") {
            let name = PathBuf::from("standard output");
            let (path, now) = (name.clone(), name);
            let file = None;
            return Ok((Self { path, now, file }, Box::new(io::stdout())));
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
            true => growing(path),
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
            Ok(out) => {
                let path = path.to_owned();
                let file = is_file.then(|| out.try_clone()).transpose();
                let file = file.map_err(|error| cannot(&now, error))?;
                // Of another file of this name that was not finished.
                remove_footer(&now);
                Ok((Self { path, now, file }, Box::new(out)))
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

    /// Puts the footer that it has so far beside it, at once, and on the disk no sooner than what it
    /// tells of.
    pub(super) fn put_footer(&self, bytes: &[u8]) -> io::Result<()> {
        let Some(footer) = parquet::footer(&self.now) else {
            return Ok(());
        };
        let new = footer.with_added_extension("new");
        self.sync()?;
        let mut file = File::create(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(new, footer)
    }

    /// It is whole.
    pub(super) fn finish(self) -> Result<(), RecordingError> {
        if self.now == self.path {
            return Ok(());
        }
        let renamed = self.sync().and_then(|()| fs::rename(&self.now, &self.path));
        renamed.map_err(|error| RecordingError::Write {
            path: self.path,
            error,
        })?;
        remove_footer(&self.now);
        Ok(())
    }

    /// Waits until all of it is on the disk.
    fn sync(&self) -> io::Result<()> {
        self.file.as_ref().map_or(Ok(()), File::sync_all)
    }

    /// It will not be.
    pub(super) fn discard(self) {
        if self.now != self.path {
            // Whoever finds what is left knows by its name what it is.
            let _ = remove(&self.now);
        }
    }
}

/// Removes a file, if there is one, and what is beside it.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    remove_footer(path);
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes the footer of a file that grows, if there is one.
fn remove_footer(growing: &Path) {
    if let Some(footer) = parquet::footer(growing) {
        let _ = fs::remove_file(footer);
    }
}
