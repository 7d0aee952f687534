//! Recordings, written.

use super::file::{self, Growing};
use super::write::Writer;
use super::{Format, RecordingError, Rotation, growing};
use crate::event::{Body, Event};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Writes events to a file, or to one after the other.
///
/// Dropped before it is finished, it leaves what it has written, under the name of a file that
/// grows.
pub struct Recorder {
    path: PathBuf,
    format: Format,
    rotation: Rotation,
    overwrite: bool,
    /// The stream's first event, with which every part begins.
    session: Option<Event>,
    part: Part,
    /// Parts of another recording, until this one has an event.
    replaced: Vec<PathBuf>,
    /// Of those that are whole.
    parts: u32,
    written: u64,
}

/// One file.
struct Part {
    file: Growing,
    writer: Writer,
    began: Instant,
    /// Nothing but the session with which it begins is in it.
    is_empty: bool,
    /// Something could not be written.
    is_broken: bool,
    /// Row groups of which the footer beside the file knows.
    groups: usize,
}

impl Recorder {
    /// Creates a recording. With a rotation its parts are called `day-000001.jsonl` for
    /// `day.jsonl`, and so on. A file of such a name is kept, unless it may `overwrite`: then all
    /// parts of another recording of this name are removed with the first event. `-` is standard
    /// output.
    ///
    /// # Errors
    /// [`RecordingError::Write`], [`RecordingError::Exists`], [`RecordingError::Unfinished`],
    /// [`RecordingError::Rotation`].
    pub fn create(
        path: impl AsRef<Path>,
        format: Format,
        rotation: Rotation,
        overwrite: bool,
    ) -> Result<Self, RecordingError> {
        let path = path.as_ref().to_owned();
        let mut replaced = rotation.replaced(&path, overwrite)?;
        let first = rotation.part(&path, 1);
        let part = Part::create(&first, format, overwrite)?;
        replaced.retain(|other| *other != growing(&first));
        Ok(Self {
            path,
            format,
            rotation,
            overwrite,
            session: None,
            part,
            replaced,
            parts: 0,
            written: 0,
        })
    }

    /// Adds an event.
    ///
    /// # Errors
    /// [`RecordingError::Write`], and when another part is begun those of [`Self::create`].
    pub fn write(&mut self, event: &Event) -> Result<(), RecordingError> {
        for path in self.replaced.drain(..) {
            file::remove(&path).map_err(|error| cannot_write(&path, error))?;
        }
        self.rotate_when_due()?;
        if let Body::Session { .. } = &event.body {
            self.session = Some(event.clone());
        }
        self.part.write(event)
    }

    /// Keeps nothing back that can be written now, and ends a part that is old enough. To be called
    /// from time to time while no event comes.
    ///
    /// # Errors
    /// Those of [`Self::write`].
    pub fn flush(&mut self) -> Result<(), RecordingError> {
        self.rotate_when_due()?;
        self.part.flush()
    }

    /// Bytes that were written, in all files.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written + self.part.writer.written()
    }

    /// Gives the last file its name: it is whole. One that could not be written keeps the name that
    /// it has.
    ///
    /// # Errors
    /// [`RecordingError::Write`].
    pub fn finish(self) -> Result<(), RecordingError> {
        self.part.finish()
    }

    /// Removes the last file.
    pub fn discard(self) {
        self.part.file.discard();
    }

    fn rotate_when_due(&mut self) -> Result<(), RecordingError> {
        let Part { began, writer, .. } = &self.part;
        let is_due = self.rotation.is_due(began.elapsed(), writer.written());
        match is_due && !self.part.is_empty {
            true => self.rotate(),
            false => Ok(()),
        }
    }

    /// Ends a part and begins the next one.
    fn rotate(&mut self) -> Result<(), RecordingError> {
        let path = self.rotation.part(&self.path, self.parts + 2);
        let next = Part::create(&path, self.format, self.overwrite)?;
        let whole = std::mem::replace(&mut self.part, next);
        self.parts += 1;
        self.written += whole.writer.written();
        whole.finish()?;
        if let Some(session) = &self.session {
            self.part.write(session)?;
            self.part.is_empty = true;
        }
        Ok(())
    }
}

impl Part {
    fn create(path: &Path, format: Format, overwrite: bool) -> Result<Self, RecordingError> {
        let (file, out) = Growing::create(path, overwrite)?;
        let writer = Writer::new(format, out);
        let writer = writer.map_err(|error| cannot_write(file.now(), error))?;
        Ok(Self {
            file,
            writer,
            began: Instant::now(),
            is_empty: true,
            is_broken: false,
            groups: 0,
        })
    }

    fn write(&mut self, event: &Event) -> Result<(), RecordingError> {
        self.is_empty = false;
        let written = self.writer.write(event).and_then(|()| self.note_groups());
        self.said(written)
    }

    fn flush(&mut self) -> Result<(), RecordingError> {
        let flushed = self.writer.flush().and_then(|()| self.note_groups());
        self.said(flushed)
    }

    fn said(&mut self, written: io::Result<()>) -> Result<(), RecordingError> {
        self.is_broken |= written.is_err();
        written.map_err(|error| cannot_write(self.file.now(), error))
    }

    /// Keeps a footer for the row groups that were written.
    fn note_groups(&mut self) -> io::Result<()> {
        if let Writer::Parquet(parquet) = &self.writer
            && parquet.groups() > self.groups
        {
            self.groups = parquet.groups();
            self.file.put_footer(&parquet.footer()?)?;
        }
        Ok(())
    }

    fn finish(self) -> Result<(), RecordingError> {
        if self.is_broken {
            // That was told. It keeps the name of one that grows.
            return Ok(());
        }
        let finished = self.writer.finish();
        finished.map_err(|error| cannot_write(self.file.now(), error))?;
        self.file.finish()
    }
}

fn cannot_write(path: &Path, error: io::Error) -> RecordingError {
    let path = path.to_owned();
    RecordingError::Write { path, error }
}
