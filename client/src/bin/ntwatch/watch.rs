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
    let mut watch = driver.watch_by(&options.filter(), options.delivery())?;
    if options.hash.is_some() {
        watch = watch.with_hashes();
    }
    let began = Instant::now();
    stop_on_signal(watch.stopper())?;
    if let Some(time) = options.time {
        stop_after(watch.stopper(), time);
    }
    let (passed_on, mut failure) = pass_on(&mut watch, options.count, sink)?;
    // What was read ahead belongs to the account, shown or not.
    watch.stopper().stop();
    for unshown in &mut watch {
        failure = failure.or(unshown.err());
    }

    sink.ended()?;
    let stats = watch.driver().stats();
    let summary = report::Summary::new(&watch, passed_on, began.elapsed(), stats);
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

/// Passes events on until the stream ends or `count` of the driver's were; gives how many of those
/// it was, and the error that the stream ended with, if it did.
fn pass_on(
    watch: &mut Watch,
    count: Option<u64>,
    sink: &mut impl Sink,
) -> Result<(u64, Option<Error>), Failure> {
    let (mut passed_on, mut failure) = (0, None);
    while failure.is_none() && count.is_none_or(|count| passed_on < count) {
        if watch.is_caught_up() {
            sink.caught_up()?;
        }
        match watch.next() {
            Some(Ok(event)) => {
                passed_on += u64::from(event.body.kind().is_some());
                sink.event(&event)?;
            }
            Some(Err(error)) => failure = Some(error),
            None => break,
        }
    }
    Ok((passed_on, failure))
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
