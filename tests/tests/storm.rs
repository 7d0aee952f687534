//! A storm of processes, threads, images and handles: whatever a slow client misses is counted and
//! said where it is missing; a fast client misses nothing.

use ntwatch_protocol::configure::MIN_RING_SIZE;
use ntwatch_protocol::ioctl::{READ_EVENTS, Stats};
use ntwatch_protocol::lost::stage;
use ntwatch_protocol::reader::{Record, Records};
use ntwatch_protocol::record::{Kind, MAX_RECORD_SIZE, PerKind};
use ntwatch_tests::account::assert_balances;
use ntwatch_tests::lab::{Lab, stderr, stdout, until};
use ntwatch_tests::raw::Raw;
use serde_json::Value;
use std::collections::BTreeMap;

const STARTS: u64 = 100_000;
/// With these each process of a storm has one event of every kind.
const MIX: &str = "threads,images,handles";

/// The driver's account once the storm is over and the worker has seen all of it.
fn after_the_storm(raw: &mut Raw) -> Stats {
    until("the end of the storm", || {
        let stats = raw.stats();
        let all_offered = |kind: Kind| stats.offered[kind.index()] == STARTS;
        let over = Kind::EVENTS.into_iter().all(all_offered);
        (over && stats.session_captured == stats.captured).then_some(stats)
    })
}

#[test]
fn a_client_that_sleeps_through_a_storm_is_told_what_it_missed_and_where() {
    let machine = Lab::get().serve(["--storm", &STARTS.to_string(), "--mix", MIX]);
    let mut raw = Raw::open_device(&machine);
    raw.configure_all(MIN_RING_SIZE);
    let asleep = after_the_storm(&mut raw);
    assert_balances(&asleep);
    let missed = asleep.session_lost[Kind::ProcessStart.index()];
    assert!(missed > 0, "a ring of a mebibyte cannot hold the storm");

    // What is left in the ring, and the account of what is not, in the order of the stream.
    let mut seen: PerKind = [0; 16];
    let (mut capture_lost, mut session_lost): (PerKind, PerKind) = ([0; 16], [0; 16]);
    let mut last_seq = 0;
    while seen
        .iter()
        .zip(&asleep.queued)
        .any(|(seen, queued)| seen < queued)
        || session_lost != asleep.session_lost
        || capture_lost != asleep.capture_lost
    {
        let done = raw.read_events();
        assert_eq!(done.status, 0, "READ_EVENTS: {:#x}", done.status);
        for record in Records::new(&done.output) {
            let record = record.expect("the driver writes records");
            let header = record.header();
            assert!(
                header.seq > last_seq,
                "seq {} follows {last_seq}",
                header.seq
            );
            if let Record::Lost(lost) = &record {
                let sum = if lost.stage == stage::SESSION {
                    assert!(lost.first_seq > last_seq, "what was shown is not lost");
                    let width = lost.last_seq - lost.first_seq + 1;
                    assert!(lost.counts.iter().sum::<u64>() <= width);
                    &mut session_lost
                } else {
                    &mut capture_lost
                };
                for (sum, count) in sum.iter_mut().zip(lost.counts) {
                    *sum += count;
                }
            } else {
                seen[usize::from(header.kind)] += 1;
            }
            last_seq = header.seq;
        }
    }
    let awake = raw.stats();
    assert_balances(&awake);
    assert_eq!(awake.delivered, seen, "what was read is what was delivered");
    assert_eq!(session_lost, awake.session_lost, "every loss was announced");
    assert_eq!(capture_lost, awake.capture_lost, "every loss was announced");
    let waits = raw.submit(READ_EVENTS, &[], MAX_RECORD_SIZE);
    raw.cancel(waits);
    assert_ne!(raw.wait(waits).status, 0, "nothing is left to read");
    drop(raw);
    let (clean, log) = machine.stop();
    assert!(clean, "the driver left something behind:\n{log}");
}

#[test]
fn a_client_that_is_never_a_ring_behind_loses_nothing() {
    let lab = Lab::get();
    let storm = STARTS.to_string();
    // Paced by what the client has read, or the test would measure the machine that it runs on.
    let machine = lab.serve([
        "--storm",
        &storm,
        "--mix",
        MIX,
        "--paced",
        "--exit-when-done",
    ]);
    let device = machine.device();
    let watch = lab
        .ntwatch(
            Some(&device),
            ["watch", "--format", "jsonl", "--fail-on-loss"],
        )
        .output()
        .expect("ntwatch runs");
    let (clean, log) = machine.finish();
    assert!(watch.status.success(), "{}\n{log}", stderr(&watch));
    assert!(clean, "the driver left something behind:\n{log}");
    let mut counts = BTreeMap::new();
    for line in stdout(&watch).lines() {
        let line: Value = serde_json::from_str(line).expect("a line of JSON");
        let event = line["event"].as_str().expect("a word").to_owned();
        *counts.entry(event).or_insert(0) += 1;
    }
    let counted = |kind: Kind| counts.get(kind.name()).copied();
    assert_eq!(Kind::EVENTS.map(counted), [Some(STARTS); 6], "{counts:?}");
    assert_eq!(counted(Kind::Lost), None);
}
