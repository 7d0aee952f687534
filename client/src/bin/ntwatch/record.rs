//! `ntwatch record`: a session into a file.

use crate::cli::RecordOptions;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::watch::{Sink, follow};
use ntwatch_client::recording::{Format, Recorder};
use ntwatch_client::{Driver, Event};
use std::process::ExitCode;

pub(crate) fn run(device: &str, options: &RecordOptions) -> Result<ExitCode, Failure> {
    let format = Format::choose(&options.file, options.target.format)?;
    let driver = Driver::open(device)?;
    let (rotation, force) = (options.rotation(), options.target.force);
    let mut file = File {
        recorder: Some(Recorder::create(&options.file, format, rotation, force)?),
        progress: Progress::endless(),
        is_empty: true,
    };
    let done = follow(driver, &options.session, &mut file);
    // No session has begun.
    if let Some(recorder) = file.recorder.filter(|_| file.is_empty) {
        recorder.discard();
    }
    done
}

/// A recording that takes events.
struct File {
    /// `None` once it has ended.
    recorder: Option<Recorder>,
    progress: Progress,
    is_empty: bool,
}

impl File {
    fn show(&self) {
        let written = self.recorder.as_ref().map_or(0, Recorder::written);
        self.progress.show(None, written);
    }
}

impl Sink for File {
    fn event(&mut self, event: &Event) -> Result<(), Failure> {
        if let Some(recorder) = &mut self.recorder {
            recorder.write(event)?;
            self.is_empty = false;
        }
        if self.progress.event(event) {
            self.show();
        }
        Ok(())
    }

    fn caught_up(&mut self) -> Result<(), Failure> {
        if let Some(recorder) = &mut self.recorder {
            recorder.flush()?;
        }
        self.show();
        Ok(())
    }

    fn ended(&mut self) -> Result<(), Failure> {
        self.progress.end();
        match self.recorder.take() {
            Some(recorder) => Ok(recorder.finish()?),
            None => Ok(()),
        }
    }
}
