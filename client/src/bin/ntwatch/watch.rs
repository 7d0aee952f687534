//! A session from its beginning to its account: `ntwatch watch`, and whatever else takes events.

use crate::cli::{SessionOptions, WatchOptions};
use crate::failure::{EVENTS_LOST, Failure, say};
use crate::interrupt::on_interrupt;
use crate::printer::Printer;
use crate::report;
use ntwatch_client::{Driver, Error, Event, Stopper, Watch};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How often a sink is asked for what is due while nothing comes.
const TICK: Duration = Duration::from_secs(1);

/// Who takes events.
pub(crate) trait Sink {
    fn event(&mut self, event: &Event) -> Result<(), Failure>;

    /// No other event is there yet. Comes again each second until there is.
    fn caught_up(&mut self) -> Result<(), Failure>;

    /// No other event will come, or this sink failed; what is said next is the account of those
    /// that came.
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
    let stopper = watch.stopper();
    on_interrupt(move || stopper.stop())?;
    if let Some(time) = options.time {
        stop_after(watch.stopper(), time);
    }
    let mut passed = Passed::default();
    let mut done = pass_on(&mut watch, options, sink, &mut passed);
    // What was read ahead belongs to the account, shown or not.
    watch.stopper().stop();
    for unshown in &mut watch {
        done = done.and(unshown.map(drop).map_err(Failure::from));
    }

    let done = done.and(sink.ended());
    let stats = watch.driver().stats();
    let mut summary = report::Summary::new(&watch, passed.on, began.elapsed(), stats);
    if let Some(condition) = &options.condition.condition {
        summary = summary.filtered(&filter, condition, passed.left_out);
    }
    if !matches!(&done, Err(failure) if failure.is_closed_pipe()) {
        say(&summary);
    }
    done.map(|()| match options.fail_on_loss && !summary.is_whole() {
        true => ExitCode::from(EVENTS_LOST),
        false => ExitCode::SUCCESS,
    })
}

/// What became of the driver's events.
#[derive(Default)]
struct Passed {
    on: u64,
    /// Did not fulfil the condition.
    left_out: u64,
}

/// Passes events on that fulfil the condition, until the stream ends or so many were as are wanted.
fn pass_on(
    watch: &mut Watch,
    options: &SessionOptions,
    sink: &mut impl Sink,
    passed: &mut Passed,
) -> Result<(), Failure> {
    while options.count.is_none_or(|count| passed.on < count) {
        if watch.is_caught_up() {
            sink.caught_up()?;
            while !watch.wait(TICK) {
                sink.caught_up()?;
            }
        }
        let Some(event) = watch.next() else { break };
        let event = event?;
        let counts = u64::from(event.body.kind().is_some());
        if options.condition.lets_through(&event) {
            passed.on += counts;
            sink.event(&event)?;
        } else {
            passed.left_out += counts;
        }
    }
    Ok(())
}

fn stop_after(stopper: Stopper, time: Duration) {
    std::thread::spawn(move || {
        std::thread::sleep(time);
        stopper.stop();
    });
}
