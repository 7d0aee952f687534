//! `ntwatch show`: recordings, as if they happened now.

use crate::cli::ShowOptions;
use crate::failure::{Failure, warn};
use crate::output;
use crate::printer::Printer;
use crate::progress::Progress;
use ntwatch_client::protocol::record::Kind;
use ntwatch_client::recording::Recordings;
use ntwatch_client::{Body, Event};
use std::process::ExitCode;

pub(crate) fn run(options: &ShowOptions) -> Result<ExitCode, Failure> {
    options.output.check()?;
    let mut events = Recordings::open(&options.files, options.from)?;
    let mut printer = Printer::new(&options.output)?;
    // On a terminal, what is shown says it; a pager has the screen to itself.
    let mut progress = match output::is_file() {
        true => Progress::through(&options.files),
        false => Progress::hidden(),
    };
    let shown = show(&mut events, options, &mut printer, &mut progress);
    progress.end();
    // What came before something that is wrong is shown before it is said.
    printer.flush()?;
    shown?;
    events.cut_off().iter().for_each(warn);
    Ok(ExitCode::SUCCESS)
}

fn show(
    events: &mut Recordings,
    options: &ShowOptions,
    printer: &mut Printer,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let mut shown = 0;
    while let Some(event) = events.next() {
        let event = event?;
        if progress.event(&event) {
            progress.show(Some(events.passed()), printer.written());
        }
        if !is_among(&options.events, &event) || !options.condition.lets_through(&event) {
            continue;
        }
        printer.print(&event)?;
        shown += u64::from(event.body.kind().is_some());
        if options.count == Some(shown) {
            break;
        }
    }
    Ok(())
}

/// What a session that asked for these kinds would have been told.
fn is_among(kinds: &[Kind], event: &Event) -> bool {
    let kind = match &event.body {
        Body::ProcessRunning(_) => Some(Kind::ProcessStart),
        body => body.kind(),
    };
    kinds.is_empty() || kind.is_none_or(|kind| kinds.contains(&kind))
}
