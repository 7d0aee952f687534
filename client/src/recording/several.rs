//! Recordings, read one after the other.

use super::{CutOff, Format, Recording, RecordingError};
use crate::event::{Body, Event};
use std::path::{Path, PathBuf};
use std::vec;

/// The events of several files, in order. A session with which a part begins again is left out: the
/// parts of a recording, in order, are the recording.
pub struct Recordings {
    current: Option<Recording>,
    paths: vec::IntoIter<PathBuf>,
    chosen: Option<Format>,
    /// The last event of a session that came.
    session: Option<Event>,
    cut_off: Vec<CutOff>,
    /// Bytes of those that were read to their ends.
    passed: u64,
}

impl Recordings {
    /// Opens the first of them, as [`Recording::open`] does; the others in their turn.
    ///
    /// # Errors
    /// Those of [`Recording::open`].
    pub fn open(
        paths: &[impl AsRef<Path>],
        chosen: Option<Format>,
    ) -> Result<Self, RecordingError> {
        let paths: Vec<_> = paths.iter().map(|path| path.as_ref().to_owned()).collect();
        let mut recordings = Self {
            current: None,
            paths: paths.into_iter(),
            chosen,
            session: None,
            cut_off: Vec::new(),
            passed: 0,
        };
        recordings.turn()?;
        Ok(recordings)
    }

    /// Bytes that were read.
    #[must_use]
    pub fn passed(&self) -> u64 {
        self.passed + self.current.as_ref().map_or(0, Recording::passed)
    }

    /// Takes what is known to be missing by now, file by file.
    pub fn cut_off(&mut self) -> Vec<CutOff> {
        std::mem::take(&mut self.cut_off)
    }

    /// Goes on to the next file. `false` if there is none.
    fn turn(&mut self) -> Result<bool, RecordingError> {
        if let Some(done) = self.current.take() {
            self.passed += done.len();
            self.cut_off.extend(done.cut_off().cloned());
        }
        let Some(path) = self.paths.next() else {
            return Ok(false);
        };
        self.current = Some(Recording::open(&path, self.chosen)?);
        Ok(true)
    }

    /// Is this the session that is under way?
    fn is_known(&mut self, event: &Event) -> bool {
        if !matches!(event.body, Body::Session { .. }) {
            return false;
        }
        let known = self.session.as_ref() == Some(event);
        self.session = Some(event.clone());
        known
    }
}

impl Iterator for Recordings {
    type Item = Result<Event, RecordingError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.current.as_mut()?.next() {
                Some(Ok(event)) if self.is_known(&event) => {}
                Some(Ok(event)) => return Some(Ok(event)),
                Some(Err(error)) => {
                    self.current = None;
                    return Some(Err(error));
                }
                None => match self.turn() {
                    Ok(true) => {}
                    Ok(false) => return None,
                    Err(error) => return Some(Err(error)),
                },
            }
        }
    }
}
