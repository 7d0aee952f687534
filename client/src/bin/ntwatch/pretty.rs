//! Events as lines for people: columns that fit a terminal of 100.

use anstyle::{AnsiColor, Style};
use ntwatch_client::event::{Counts, Lost, ProcessExit, ProcessStart, SessionInfo, Stage};
use ntwatch_client::time::Time;
use ntwatch_client::{Body, Event};
use std::borrow::Cow;
use std::fmt::{self, Write};
use std::time::Duration;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns of the image's name.
const IMAGE: usize = 18;
/// Columns of the parent's name and pid.
const PARENT: usize = 22;

const DIM: Style = Style::new().dimmed();
const START: Style = AnsiColor::Green.on_default();
const EXIT: Style = AnsiColor::Cyan.on_default();
const LOST: Style = AnsiColor::Red.on_default().bold();

/// Makes lines of events.
pub(crate) struct Pretty {
    colours: bool,
    /// Columns to cut lines to.
    width: Option<usize>,
    lines: String,
}

/// What a line shows.
struct Row<'a> {
    word: &'static str,
    style: Style,
    pid: u32,
    image: &'a str,
    parent: Cow<'a, str>,
    detail: Cow<'a, str>,
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
            Body::Session(session) => self.session(session),
            Body::ProcessRunning(start) => self.row(event.time, &start_row("runs", DIM, start)),
            Body::ProcessStart(start) => self.row(event.time, &start_row("start", START, start)),
            Body::ProcessExit(exit) => self.row(event.time, &exit_row(event.time, exit)),
            Body::Lost(lost) => self.lost(event.time, lost),
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
            "{:<12} {:<5} {:>6} {:<IMAGE$} {:<PARENT$} COMMAND LINE",
            "TIME", "EVENT", "PID", "IMAGE", "PARENT"
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
            "{} LOST  {} events: {place}",
            clock(time),
            ByKind(&lost.counts)
        );
        self.whole_line(LOST, &line);
    }

    fn row(&mut self, time: Time, row: &Row<'_>) {
        // The times' text and the fixed columns: 12 + 1 + 5 + 1 + 6 + 1, and a blank after each
        // name.
        const BEFORE_DETAIL: usize = 26 + IMAGE + 1 + PARENT + 1;
        let room = self.width.map(|width| width.saturating_sub(BEFORE_DETAIL));
        let (image, parent) = (visible(row.image), visible(&row.parent));
        let detail = visible(&row.detail);
        let _ = write!(self.lines, "{} ", clock(time));
        self.styled(row.style, |lines| write!(lines, "{:<5}", row.word));
        let _ = write!(self.lines, " {:>6} ", row.pid);
        pad(&mut self.lines, &image, IMAGE);
        self.lines.push(' ');
        self.styled(DIM, |lines| {
            pad(lines, &parent, PARENT);
            Ok(())
        });
        self.lines.push(' ');
        cut(&mut self.lines, &detail, room);
        self.lines.truncate(self.lines.trim_end().len());
        self.lines.push('\n');
    }

    fn whole_line(&mut self, style: Style, line: &str) {
        let width = self.width;
        let line = visible(line);
        self.styled(style, |lines| {
            cut(lines, &line, width);
            Ok(())
        });
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

fn start_row<'a>(word: &'static str, style: Style, start: &'a ProcessStart) -> Row<'a> {
    let process = &start.process;
    let image = process.image.as_deref();
    let parent = start.parent.as_ref().map_or(Cow::Borrowed("-"), |parent| {
        let name = parent.image.as_deref().map_or("?", file_name);
        // A name gives way to its pid.
        let pid = format!(":{}", parent.pid);
        let mut text = String::new();
        cut(
            &mut text,
            &visible(name),
            Some(PARENT.saturating_sub(pid.len())),
        );
        Cow::Owned(text + &pid)
    });
    Row {
        word,
        style,
        pid: process.pid,
        image: image.map_or("?", file_name),
        parent,
        detail: match &process.command_line {
            // WSL's arguments end with a NUL each.
            Some(line) if line.contains('\0') => {
                Cow::Owned(line.trim_end_matches('\0').replace('\0', " "))
            }
            Some(line) => Cow::Borrowed(line),
            None => Cow::Borrowed(image.unwrap_or_default()),
        },
    }
}

fn exit_row(time: Time, exit: &ProcessExit) -> Row<'_> {
    let process = &exit.process;
    // An NTSTATUS of an error is known by its digits, a program's own code by its number.
    let mut detail = match exit.exit_status {
        status if status >> 30 == 3 => format!("status {status:#010x}"),
        code => format!("code {code}"),
    };
    if let Some(lived) = process.create_time.and_then(|begun| time.since(begun)) {
        detail = format!("{detail} after {}", Lifetime(lived));
    }
    Row {
        word: "exit",
        style: EXIT,
        pid: process.pid,
        image: process.image.as_deref().map_or("?", file_name),
        parent: Cow::Borrowed(""),
        detail: Cow::Owned(detail),
    }
}

/// A length of time to three digits below a minute, to the second above.
struct Lifetime(Duration);

impl fmt::Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < Duration::from_secs(60) {
            write!(f, "{:.3} s", self.0.as_secs_f64())
        } else {
            let seconds = Duration::from_secs(self.0.as_secs());
            write!(f, "{}", humantime::format_duration(seconds))
        }
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

/// The time of day, to the millisecond.
fn clock(time: Time) -> String {
    time.to_string().get(11..23).unwrap_or_default().to_owned()
}

fn file_name(path: &str) -> &str {
    path.rsplit(['\\', '/']).next().unwrap_or(path)
}

/// The text without characters that would move the cursor, change colours or reverse the line:
/// command lines come from whoever started the process.
fn visible(text: &str) -> Cow<'_, str> {
    fn is_harmful(c: char) -> bool {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    }
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::new();
    for c in text.chars() {
        if is_harmful(c) {
            escaped.extend(c.escape_default());
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

/// Adds `text`, with an ellipsis where it is longer than `room` columns.
fn cut(to: &mut String, text: &str, room: Option<usize>) {
    let Some(room) = room.filter(|room| text.width() > *room) else {
        to.push_str(text);
        return;
    };
    let mut left = room.saturating_sub(1);
    for c in text.chars() {
        let width = c.width().unwrap_or(0);
        if width > left {
            break;
        }
        left -= width;
        to.push(c);
    }
    if room > 0 {
        to.push('…');
    }
}

/// Adds `text` in exactly `columns`.
fn pad(to: &mut String, text: &str, columns: usize) {
    let begin = to.len();
    cut(to, text, Some(columns));
    // A wide character may leave a column that it does not fit into.
    let used = to[begin..].width();
    to.extend(std::iter::repeat_n(' ', columns.saturating_sub(used)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use ntwatch_client::event::{ExitedProcess, Hex, Process, ProcessRef};

    fn start(image: &str, command_line: &str) -> Event {
        let process = Process {
            pid: 4711,
            key: Hex(1),
            create_time: None,
            image: Some(image.into()),
            image_exact: None,
            command_line: Some(command_line.into()),
            session: None,
            user: None,
            logon_id: None,
            integrity: None,
            elevated: None,
            protection: None,
            wow64: None,
            subsystem: None,
        };
        Event {
            seq: 0,
            time: Time(133_536_384_001_234_567),
            body: Body::ProcessStart(Box::new(ProcessStart {
                process,
                parent: Some(ProcessRef {
                    pid: 12345,
                    key: None,
                    image: Some(r"C:\Windows\a-name-of-some-length.exe".into()),
                }),
                creator: None,
            })),
        }
    }

    #[test]
    fn a_line_fits_the_terminal() {
        let long = "x".repeat(300);
        let line = Pretty::new(false, Some(100))
            .lines(&start(r"C:\a.exe", &long))
            .to_owned();
        assert_eq!(line.trim_end().width(), 100, "{line}");
        assert!(
            line.starts_with(
                "00:00:00.123 start   4711 a.exe              a-name-of-some-…:12345 xxx"
            ),
            "{line}"
        );
        assert!(line.ends_with("x…\n"));
        let wide = Pretty::new(false, None)
            .lines(&start(r"C:\a.exe", &long))
            .to_owned();
        assert!(wide.ends_with(&format!(" {long}\n")));
    }

    #[test]
    fn wide_characters_do_not_break_the_columns() {
        let line = Pretty::new(false, Some(100))
            .lines(&start("C:\\文件文件文件文件文件.exe", "表"))
            .to_owned();
        let parent = line.split("a-name").next().unwrap();
        assert_eq!(parent.width(), 26 + IMAGE + 1, "{line}");
    }

    #[test]
    fn a_command_line_cannot_write_to_the_terminal() {
        let hostile = "a\u{1b}[2J\r\n\u{202e}b";
        let line = Pretty::new(false, None)
            .lines(&start("a.exe", hostile))
            .to_owned();
        assert_eq!(
            line.matches(char::is_control).count(),
            1,
            "the line's end alone: {line:?}"
        );
        assert!(line.contains(r"a\u{1b}[2J\r\n\u{202e}b"), "{line}");
    }

    #[test]
    fn colours_are_for_terminals_alone() {
        let event = start("a.exe", "a");
        assert!(Pretty::new(true, None).lines(&event).contains('\u{1b}'));
        assert!(!Pretty::new(false, None).lines(&event).contains('\u{1b}'));
    }

    #[test]
    fn an_exit_says_how_and_after_how_long() {
        let exit = |exit_status| Event {
            seq: 0,
            time: Time(20_015_000),
            body: Body::ProcessExit(ProcessExit {
                process: ExitedProcess {
                    pid: 8,
                    key: Hex(1),
                    create_time: Some(Time(10_000_000)),
                    image: Some("/usr/bin/true".into()),
                },
                exit_status,
            }),
        };
        let line = |status| Pretty::new(false, None).lines(&exit(status)).to_owned();
        assert!(line(1).ends_with("code 1 after 1.002 s\n"), "{}", line(1));
        assert!(line(0xC000_0005).contains("status 0xc0000005 after"));
    }
}
