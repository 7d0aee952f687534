//! `ntwatch convert`: recordings, in another format.

use crate::cli::{ConditionOptions, ConvertOptions};
use crate::failure::{self, Failure};
use crate::progress::Progress;
use ntwatch_client::recording::{Format, Recorder, Recordings, Rotation};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) fn run(options: &ConvertOptions) -> Result<ExitCode, Failure> {
    let format = Format::choose(&options.file, options.target.format)?;
    let mut events = Recordings::open(&options.from_files, options.from)?;
    let rotation = Rotation::default();
    let mut recorder = Recorder::create(&options.file, format, rotation, options.target.force)?;
    let mut progress = match size(&options.from_files) {
        Some(bytes) => Progress::bytes(bytes),
        None => Progress::endless(),
    };
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
    events.cut_off().iter().for_each(failure::warn);
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
    ctrlc::set_handler(move || by_signal.store(true, Ordering::Relaxed))
        .map_err(Failure::Signals)?;
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

/// Bytes of all files, if they are files.
fn size(paths: &[PathBuf]) -> Option<u64> {
    let len = |path: &PathBuf| {
        let data = path.metadata().ok()?;
        data.is_file().then_some(data.len())
    };
    paths.iter().map(len).sum()
}
