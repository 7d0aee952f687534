//! `ntwatch watch`.

use crate::cli::{Format, WatchOptions};
use crate::failure::{EVENTS_LOST, Failure};
use crate::output::Output;
use crate::pretty::Pretty;
use crate::report;
use ntwatch_client::{Driver, Error, Event, Stopper, Watch};
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What a shell reports for a program that Ctrl+C has ended.
const INTERRUPTED: i32 = 130;

pub(crate) fn run(device: &str, options: &WatchOptions) -> Result<ExitCode, Failure> {
    let driver = Driver::open(device)?;
    let mut watch = driver.watch_by(&options.filter(), options.delivery())?;
    let began = Instant::now();
    stop_on_signal(watch.stopper())?;
    if let Some(time) = options.time {
        stop_after(watch.stopper(), time);
    }
    let mut printer = Printer::new(options);
    let mut failure = show(&mut watch, options.count, &mut printer)?;
    // What was read ahead belongs to the account, shown or not.
    watch.stopper().stop();
    for unshown in &mut watch {
        failure = failure.or(unshown.err());
    }

    let stats = watch.driver().stats();
    let summary = report::Summary::new(&watch, printer.events, began.elapsed(), stats);
    eprint!("{summary}");
    if let Some(error) = failure {
        return Err(error.into());
    }
    Ok(if options.fail_on_loss && summary.lost != 0 {
        ExitCode::from(EVENTS_LOST)
    } else {
        ExitCode::SUCCESS
    })
}

/// Prints events until the stream ends or `count` of the driver's were shown; gives the error
/// that the stream ended with, if it did.
fn show(watch: &mut Watch, count: Option<u64>, printer: &mut Printer) -> io::Result<Option<Error>> {
    let mut failure = None;
    while failure.is_none() && count.is_none_or(|count| printer.events < count) {
        if watch.is_caught_up() {
            printer.out.flush()?;
        }
        match watch.next() {
            Some(Ok(event)) => printer.print(&event)?,
            Some(Err(error)) => failure = Some(error),
            None => break,
        }
    }
    printer.out.flush()?;
    Ok(failure)
}

/// The first Ctrl+C ends the stream; the second one ends it even if standard output is stuck.
fn stop_on_signal(stopper: Stopper) -> Result<(), Failure> {
    let again = AtomicBool::new(false);
    ctrlc::set_handler(move || {
        if again.swap(true, Ordering::Relaxed) {
            std::process::exit(INTERRUPTED);
        }
        stopper.stop();
    })
    .map_err(Failure::Signals)
}

fn stop_after(stopper: Stopper, time: Duration) {
    std::thread::spawn(move || {
        std::thread::sleep(time);
        stopper.stop();
    });
}

/// Writes events in the format that was asked for.
struct Printer {
    out: Output,
    /// One line of JSON, put together before it goes anywhere.
    line: Vec<u8>,
    /// `None` for JSON Lines.
    pretty: Option<Pretty>,
    /// How many of the driver's events were printed.
    events: u64,
}

impl Printer {
    fn new(options: &WatchOptions) -> Self {
        let out = Output::new();
        let width = out.width.filter(|_| !options.wide);
        let pretty = match options.format {
            Format::Pretty => Some(Pretty::new(out.colours, width)),
            Format::Jsonl => None,
        };
        Self {
            out,
            line: Vec::new(),
            pretty,
            events: 0,
        }
    }

    fn print(&mut self, event: &Event) -> io::Result<()> {
        self.events += u64::from(event.body.kind().is_some());
        match &mut self.pretty {
            Some(pretty) => self.out.write_all(pretty.lines(event).as_bytes()),
            None => {
                self.line.clear();
                serde_json::to_writer(&mut self.line, event)?;
                self.line.push(b'\n');
                self.out.write_all(&self.line)
            }
        }
    }
}
