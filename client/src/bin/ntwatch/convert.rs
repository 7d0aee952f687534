//! `ntwatch convert`: recordings, in another format.

use crate::cli::{ConditionOptions, ConvertOptions};
use crate::failure::{Failure, warn};
use crate::interrupt::on_interrupt;
use crate::progress::Progress;
use ntwatch_client::recording::{self, Format, Recorder, RecordingError, Recordings, Rotation};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) fn run(options: &ConvertOptions) -> Result<ExitCode, Failure> {
    let format = Format::choose(&options.file, options.target.format)?;
    refuse_to_write_over(&options.from_files, &options.file)?;
    let mut events = Recordings::open(&options.from_files, options.from)?;
    let rotation = Rotation::default();
    let mut recorder = Recorder::create(&options.file, format, rotation, options.target.force)?;
    let mut progress = Progress::through(&options.from_files);
    let copied = copy(
        &mut events,
        &options.condition,
        &mut recorder,
        &mut progress,
    );
    progress.end();
    if let Err(failure) = copied {
        recorder.discard();
        return Err(failure);
    }
    recorder.finish()?;
    events.cut_off().iter().for_each(warn);
    Ok(ExitCode::SUCCESS)
}

fn copy(
    events: &mut Recordings,
    condition: &ConditionOptions,
    recorder: &mut Recorder,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let by_signal = Arc::clone(&interrupted);
    on_interrupt(move || by_signal.store(true, Ordering::Relaxed))?;
    while let Some(event) = events.next() {
        let event = event?;
        if condition.lets_through(&event) {
            recorder.write(&event)?;
        }
        if progress.event(&event) {
            progress.show(Some(events.passed()), recorder.written());
        }
        if interrupted.load(Ordering::Relaxed) {
            return Err(Failure::Interrupted);
        }
    }
    Ok(recorder.flush()?)
}

/// What is left of a recording may be converted to the recording that it was to be.
fn refuse_to_write_over(sources: &[PathBuf], target: &Path) -> Result<(), Failure> {
    let path = recording::growing(target);
    let file = path.canonicalize().ok();
    let is_it = |source: &PathBuf| file.is_some() && source.canonicalize().ok() == file;
    match sources.iter().any(is_it) {
        true => Err(RecordingError::Itself { path }.into()),
        false => Ok(()),
    }
}
