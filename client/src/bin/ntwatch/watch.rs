//! A session from its beginning to its account: `ntwatch watch`, and whatever else takes events.

use crate::cli::{SessionOptions, WatchOptions};
use crate::failure::{EVENTS_LOST, Failure};
use crate::printer::Printer;
use crate::report;
use ntwatch_client::{Driver, Error, Event, Stopper, Watch};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What a shell reports for a program that Ctrl+C has ended.
const INTERRUPTED: i32 = 130;

/// Who takes events.
pub(crate) trait Sink {
    fn event(&mut self, event: &Event) -> Result<(), Failure>;

    /// No other event is there yet.
    fn caught_up(&mut self) -> Result<(), Failure>;

    /// No other event will come; what is said next is the account of those that came.
    fn ended(&mut self) -> Result<(), Failure>;
}

impl Sink for Printer {
    fn event(&mut self, event: &Event) -> Result<(), Failure> {
        Ok(self.print(event)?)
    }

    fn caught_up(&mut self) -> Result<(), Failure> {
        Ok(self.flush()?)
    }

    fn ended(&mut self) -> Result<(), Failure> {
        Ok(self.flush()?)
    }
}

/// `ntwatch watch`.
pub(crate) fn run(device: &str, options: &WatchOptions) -> Result<ExitCode, Failure> {
    options.output.check()?;
    let driver = Driver::open(device)?;
    let mut printer = Printer::new(&options.output)?;
    follow(driver, &options.session, &mut printer)
}

/// Passes a session's events on until it ends, and says what became of them.
pub(crate) fn follow(
    driver: Driver,
    options: &SessionOptions,
    sink: &mut impl Sink,
) -> Result<ExitCode, Failure> {
    let filter = options.filter().map_err(Error::from)?;
    let mut watch = driver.watch_by(&filter, options.delivery())?;
    if options.hash.is_some() {
        watch = watch.with_hashes();
    }
    let began = Instant::now();
    stop_on_signal(watch.stopper())?;
    if let Some(time) = options.time {
        stop_after(watch.stopper(), time);
    }
    let mut passed = pass_on(&mut watch, options, sink)?;
    // What was read ahead belongs to the account, shown or not.
    watch.stopper().stop();
    for unshown in &mut watch {
        passed.failure = passed.failure.or(unshown.err());
    }

    sink.ended()?;
    let stats = watch.driver().stats();
    let mut summary = report::Summary::new(&watch, passed.on, began.elapsed(), stats);
    if let Some(condition) = &options.condition.condition {
        summary = summary.filtered(&filter, condition, passed.left_out);
    }
    eprint!("{summary}");
    if let Some(error) = passed.failure {
        return Err(error.into());
    }
    Ok(if options.fail_on_loss && summary.lost != 0 {
        ExitCode::from(EVENTS_LOST)
    } else {
        ExitCode::SUCCESS
    })
}

/// What became of the driver's events.
#[derive(Default)]
struct Passed {
    on: u64,
    /// Did not fulfil the condition.
    left_out: u64,
    /// What the stream ended with, if it did not just end.
    failure: Option<Error>,
}

/// Passes events on that fulfil the condition, until the stream ends or so many were as are wanted.
fn pass_on(
    watch: &mut Watch,
    options: &SessionOptions,
    sink: &mut impl Sink,
) -> Result<Passed, Failure> {
    let mut passed = Passed::default();
    while passed.failure.is_none() && options.count.is_none_or(|count| passed.on < count) {
        if watch.is_caught_up() {
            sink.caught_up()?;
        }
        match watch.next() {
            Some(Ok(event)) => {
                let counts = u64::from(event.body.kind().is_some());
                if options.condition.lets_through(&event) {
                    passed.on += counts;
                    sink.event(&event)?;
                } else {
                    passed.left_out += counts;
                }
            }
            Some(Err(error)) => passed.failure = Some(error),
            None => break,
        }
    }
    Ok(passed)
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
