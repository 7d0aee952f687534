//! Events as lines for people: columns that fit a terminal of 100.

mod columns;
mod row;
mod text;

pub(crate) use columns::Columns;

use anstyle::{AnsiColor, Style};
use ntwatch_client::event::{Counts, Lost, SessionInfo, Stage};
use ntwatch_client::format::Lines;
use ntwatch_client::time::Time;
use ntwatch_client::{Body, Event};
use row::Row;
use std::fmt::{self, Write};
use text::{clock, cut, cut_front, pad, visible};
use unicode_width::UnicodeWidthStr;

/// Columns of the word for the event.
const EVENT: usize = 6;
/// Columns of the image's name.
const IMAGE: usize = 18;
/// Columns of what comes before the details: the time, the pid, and a blank after each.
const BEFORE_DETAIL: usize = 12 + 1 + EVENT + 1 + 6 + 1 + IMAGE + 1;

const DIM: Style = Style::new().dimmed();
const LOST: Style = AnsiColor::Red.on_default().bold();

/// Makes lines of events.
pub(crate) struct Pretty {
    colours: bool,
    /// Columns to cut lines to.
    width: Option<usize>,
    lines: String,
}

impl Pretty {
    pub(crate) fn new(colours: bool, width: Option<usize>) -> Self {
        Self {
            colours,
            width,
            lines: String::new(),
        }
    }

    /// The line or lines for an event, each with its end.
    pub(crate) fn lines(&mut self, event: &Event) -> &str {
        self.lines.clear();
        match &event.body {
            Body::Session { session } => self.session(session),
            Body::Lost(lost) => self.lost(event.time, lost),
            Body::ProcessRunning(start) => self.row(event.time, &Row::running(start)),
            Body::ProcessStart(start) => self.row(event.time, &Row::process_start(start)),
            Body::ProcessExit(exit) => self.row(event.time, &Row::process_exit(event.time, exit)),
            Body::ThreadStart(start) => self.row(event.time, &Row::thread_start(start)),
            Body::ThreadExit(exit) => self.row(event.time, &Row::thread_exit(exit)),
            Body::ImageLoad(load) => self.row(event.time, &Row::image_load(load)),
            Body::HandleOpen(open) => self.row(event.time, &Row::handle_open(open)),
        }
        &self.lines
    }

    fn session(&mut self, session: &SessionInfo) {
        let since = session.boot_time.map(|time| format!(", up since {time}"));
        let line = format!(
            "{}{}; driver {}; times are UTC",
            session.host,
            since.unwrap_or_default(),
            session.driver_version
        );
        let heads = format!(
            "{:<12} {:<EVENT$} {:>6} {:<IMAGE$} DETAIL",
            "TIME", "EVENT", "PID", "IMAGE"
        );
        self.whole_line(DIM, &line);
        self.whole_line(DIM, &heads);
    }

    fn lost(&mut self, time: Time, lost: &Lost) {
        let place = match lost.stage {
            Stage::Capture => "the driver had no room for them",
            Stage::Session => "they were not read fast enough",
        };
        let line = format!(
            "{} LOST   {} events: {place}",
            clock(time),
            ByKind(&lost.counts)
        );
        self.whole_line(LOST, &line);
    }

    fn row(&mut self, time: Time, row: &Row<'_>) {
        let room = self.width.map(|width| width.saturating_sub(BEFORE_DETAIL));
        let (path, detail) = (visible(row.path), visible(&row.detail));
        // The path gives way first, but not all of it.
        let path_room = room.map(|room| room.saturating_sub(detail.width()).max(room / 3));
        let path = cut_front(&path, path_room);
        let detail = cut(&detail, room.map(|room| room.saturating_sub(path.width())));
        let image = pad(&visible(row.image), IMAGE, self.width.is_some());
        let pid = row.pid.map_or_else(|| "-".into(), |pid| pid.to_string());

        let _ = write!(self.lines, "{} ", clock(time));
        self.styled(row.style, |lines| write!(lines, "{:<EVENT$}", row.word));
        let _ = write!(self.lines, " {pid:>6} {image} {path}{detail}");
        self.lines.truncate(self.lines.trim_end().len());
        self.lines.push('\n');
    }

    fn whole_line(&mut self, style: Style, line: &str) {
        let line = visible(line);
        let line = cut(&line, self.width);
        self.styled(style, |lines| lines.write_str(&line));
        self.lines.push('\n');
    }

    fn styled(&mut self, style: Style, write: impl FnOnce(&mut String) -> fmt::Result) {
        let style = if self.colours { style } else { Style::new() };
        // Writing to a string does not fail.
        let _ = write!(self.lines, "{style}");
        let _ = write(&mut self.lines);
        let _ = write!(self.lines, "{style:#}");
    }
}

impl Lines for Pretty {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        out.extend_from_slice(self.lines(event).as_bytes());
    }
}

/// `3 process_start, 1 process_exit`.
pub(crate) struct ByKind<'a>(pub(crate) &'a Counts);

impl fmt::Display for ByKind<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (kind, count)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{count} {kind}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
