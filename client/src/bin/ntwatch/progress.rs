//! How far a long command has come, on a terminal; nothing elsewhere.

use crate::terminal;
use indicatif::{BinaryBytes, HumanCount, ProgressBar, ProgressStyle};
use ntwatch_client::{Body, Event};
use std::path::PathBuf;
use std::time::Duration;

/// How often the time is told that passes while nothing comes.
const SECOND: Duration = Duration::from_secs(1);
/// Lines between two looks at the clock.
const OFTEN: u64 = 1024;

/// A line on standard error that changes.
pub(crate) struct Progress {
    bar: ProgressBar,
    lines: u64,
    /// Of the driver's, as the account counts them.
    events: u64,
    lost: u64,
}

impl Progress {
    /// Of something without an end.
    pub(crate) fn endless() -> Self {
        let spinner = Self::of(ProgressBar::new_spinner(), "{spinner} {elapsed} {wide_msg}");
        if !spinner.bar.is_hidden() {
            spinner.bar.enable_steady_tick(SECOND);
        }
        spinner
    }

    /// Of the bytes of recordings, if they are files.
    pub(crate) fn through(recordings: &[PathBuf]) -> Self {
        let len = |path: &PathBuf| {
            let data = path.metadata().ok()?;
            data.is_file().then_some(data.len())
        };
        let all: Option<u64> = recordings.iter().map(len).sum();
        all.map_or_else(Self::endless, Self::bytes)
    }

    /// Of something that shows by itself how far it has come.
    pub(crate) fn hidden() -> Self {
        Self::of(ProgressBar::hidden(), "")
    }

    /// Of so many bytes to read.
    fn bytes(all: u64) -> Self {
        let template = "{bar:10} {percent:>3}% of {binary_total_bytes}, {eta} left: {wide_msg}";
        Self::of(ProgressBar::new(all), template)
    }

    fn of(bar: ProgressBar, template: &str) -> Self {
        // Where it cannot be, the line is less tidy.
        let _ = terminal::begin_stderr();
        // The templates are sound: the terminal's tests show them.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self {
            bar,
            lines: 0,
            events: 0,
            lost: 0,
        }
    }

    /// This has come. Is it time to [`Self::show`]?
    pub(crate) fn event(&mut self, event: &Event) -> bool {
        match &event.body {
            Body::Lost(lost) => self.lost += lost.counts.total(),
            body => self.events += u64::from(body.kind().is_some()),
        }
        self.lines += 1;
        self.lines.is_multiple_of(OFTEN)
    }

    /// Shows that so many bytes were read, if that is known, and written.
    pub(crate) fn show(&self, read: Option<u64>, written: u64) {
        if self.bar.is_hidden() {
            return;
        }
        let lost = match self.lost {
            0 => String::new(),
            lost => format!(", {} LOST", HumanCount(lost)),
        };
        let (events, written) = (HumanCount(self.events), BinaryBytes(written));
        self.bar
            .set_message(format!("{events} events{lost}, {written}"));
        match read {
            Some(read) => self.bar.set_position(read),
            None => self.bar.tick(),
        }
    }

    /// Makes room for what is said next.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
