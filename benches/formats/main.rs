//! How fast the client turns the driver's records into JSON Lines, beside the crate `evtx` with
//! Sysmon's, both in this process.
//!
//! `cargo xtask bench`, or with a lab built: `cargo bench -p ntwatch-benches --bench formats`
//!
//! The records are the shipped driver's, of a storm. Decoding, joining and serialising run on one
//! thread; the time is the processor's, so that the thread that reads ahead counts, too. `evtx` has
//! one thread as well, reads the log where it lies in memory, and makes JSON without indents, as
//! bytes. Exit code 1: the client is slower.

mod memory;
mod storm;
#[expect(dead_code, reason = "only the processor's time counts here")]
#[path = "../transports/usage.rs"]
mod usage;

use evtx::{EvtxParser, ParserSettings};
use memory::Memory;
use ntwatch_client::format::{JsonLines, Lines};
use ntwatch_client::{Delivery, Driver, Filter, Rights, Way};
use std::hint::black_box;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use usage::Look;

/// Rounds of both in turn, so that what else the machine does slows both; the median counts.
const ROUNDS: usize = 9;
/// How often the records are read in a round,
const REPEATED: usize = 10;
/// and the recording, which is small.
const EVTX_REPEATED: usize = 300;

fn main() -> ExitCode {
    let records = storm::records();
    println!("formats: a second of a processor, median of {ROUNDS}\n");
    let Some(path) = recording() else {
        tell(OURS, (0..ROUNDS).map(|_| client(&records)), "events");
        println!("Sysmon_UACME_64.evtx is absent (NTWATCH_RECORDINGS names its folder)");
        return ExitCode::SUCCESS;
    };
    let log = std::fs::read(&path).expect("the recording can be read");
    let rounds: Vec<_> = (0..ROUNDS)
        .map(|_| (client(&records), evtx(&log)))
        .collect();
    tell(OURS, rounds.iter().map(|(ours, _)| *ours), "events");
    tell(THEIRS, rounds.iter().map(|(_, theirs)| *theirs), "records");
    let times = median(rounds.iter().map(|(ours, theirs)| ours / theirs));
    println!("{:<44}{times:>12.1} times", "ntwatch-client is faster");
    match times > 1.0 {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

const OURS: &str = "ntwatch-client, records to JSON Lines";
const THEIRS: &str = "evtx, EVTX to JSON";

fn tell(who: &str, rounds: impl Iterator<Item = f64>, of: &str) {
    println!("{who:<44}{:>12.0} {of}", median(rounds));
}

/// Events a second.
fn client(records: &[u8]) -> f64 {
    let machine = Memory::new(records, REPEATED);
    let driver = Driver::over("memory", Arc::new(machine)).expect("it is ntwatch");
    let filter = Filter::new().access(Rights::EVERY_OPEN);
    let began = Look::now();
    let watch = driver.watch_by(&filter, Delivery::by(Way::Read));
    let mut lines = JsonLines::default();
    let (mut text, mut events) = (Vec::new(), 0);
    for event in watch.expect("the session begins") {
        text.clear();
        lines.event(&event.expect("an event"), &mut text);
        black_box(&text);
        events += 1;
    }
    f64::from(events) / began.usage().cpu.as_secs_f64()
}

/// Records a second.
fn evtx(log: &[u8]) -> f64 {
    let began = Look::now();
    let mut records = 0;
    for _ in 0..EVTX_REPEATED {
        let settings = ParserSettings::default().num_threads(1).indent(false);
        let parser = EvtxParser::from_read_seek(Cursor::new(log)).expect("EVTX");
        for record in parser.with_configuration(settings).records_json_bytes() {
            black_box(&record.expect("a record").data);
            records += 1;
        }
    }
    f64::from(records) / began.usage().cpu.as_secs_f64()
}

fn median(rounds: impl Iterator<Item = f64>) -> f64 {
    let mut rounds: Vec<_> = rounds.collect();
    rounds.sort_by(f64::total_cmp);
    rounds[rounds.len() / 2]
}

fn recording() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = std::env::var_os("NTWATCH_RECORDINGS").map_or_else(beside, PathBuf::from);
    let path = folder.join("Sysmon_UACME_64.evtx");
    path.exists().then_some(path)
}
