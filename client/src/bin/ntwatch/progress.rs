//! How far a long command has come, on a terminal; nothing elsewhere.

use indicatif::{DecimalBytes, HumanCount, ProgressBar, ProgressStyle};

/// Events between two looks at the clock.
const OFTEN: u64 = 1024;

/// A line on standard error that changes.
pub(crate) struct Progress {
    bar: ProgressBar,
    events: u64,
    lost: u64,
}

impl Progress {
    /// Of something without an end.
    pub(crate) fn endless() -> Self {
        Self::of(ProgressBar::new_spinner(), "{spinner} {elapsed} {msg}")
    }

    /// Of so many bytes to read.
    pub(crate) fn bytes(all: u64) -> Self {
        let template = "{bar:24} {percent:>3}% of {total_bytes} {msg}, {eta} left";
        Self::of(ProgressBar::new(all), template)
    }

    fn of(bar: ProgressBar, template: &str) -> Self {
        // The templates are sound: the terminal's tests show them.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        let (events, lost) = (0, 0);
        Self { bar, events, lost }
    }

    /// Another event has come. Is it time to [`Self::show`]?
    pub(crate) fn event(&mut self, lost: u64) -> bool {
        self.events += 1;
        self.lost += lost;
        self.events.is_multiple_of(OFTEN)
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
        let (events, written) = (HumanCount(self.events), DecimalBytes(written));
        self.bar
            .set_message(format!("{events} events{lost}, {written} written"));
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
