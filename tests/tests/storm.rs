//! A storm of processes, threads, images and handles: whatever a slow client misses is counted and
//! said where it is missing; a fast client misses nothing. By either transport.

use nthost::Kernel;
use nthost::io::FileHandle;
use nthost::source::storm::{Activity, Storm};
use nthost::source::{Sessions, Source, Stage};
use ntwatch_protocol::configure::{Clause, MIN_RING_SIZE};
use ntwatch_protocol::ioctl::Stats;
use ntwatch_protocol::lost::stage;
use ntwatch_protocol::reader::{Record, Records};
use ntwatch_protocol::record::Kind;
use ntwatch_protocol::wide::Wide;
use ntwatch_tests::account::{Tally, assert_accounts_for, assert_balances};
use ntwatch_tests::lab::{Lab, long, stderr, stdout, until, until_done};
use ntwatch_tests::machine::{EVERY_OPEN, boot, configure_input, everything, load, stats, unload};
use ntwatch_tests::watcher::{Transport, Watcher};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// So many processes start in a storm, or as many as [`long`] says.
const STARTS: u64 = 50_000;
/// With these each process of a storm has one event of every kind.
const MIX: &str = "threads,images,handles";

/// Lets a storm pass over the machine, which `first` has watched from before it.
fn storm(kernel: &Arc<Kernel>, first: &Watcher) {
    let sessions = Sessions::default();
    sessions.configured(&first.handle);
    let mut storm = Storm {
        processes: long(STARTS),
        mix: vec![Activity::Threads, Activity::Images, Activity::Handles],
        threads: 2,
        paced: false,
    };
    storm.run(&Stage {
        kernel,
        sessions: &sessions,
        once: true,
        stop: &AtomicBool::new(false),
    });
}

/// The driver's account once the storm is over and the worker has seen all of it.
fn after_the_storm(handle: &FileHandle) -> Stats {
    until_done("the worker to see the whole storm", || {
        let stats = stats(handle);
        let all_offered = |kind: Kind| stats.offered[kind.index()] == long(STARTS);
        let over = Kind::EVENTS.into_iter().all(all_offered);
        match over && stats.session_captured == stats.captured {
            true => Ok(stats),
            false => Err(stats.session_captured.iter().sum()),
        }
    })
}

#[test]
fn a_client_that_sleeps_through_a_storm_is_told_what_it_missed_and_where() {
    for transport in Transport::ALL {
        let kernel = boot();
        let service = load(&kernel, &Lab::get());
        let mut watcher = Watcher::begin(
            &kernel,
            transport,
            MIN_RING_SIZE,
            &everything(MIN_RING_SIZE),
        );
        storm(&kernel, &watcher);
        let asleep = after_the_storm(&watcher.handle);
        assert_balances(&asleep);
        let missed = asleep.session_lost[Kind::ProcessStart.index()];
        assert!(missed > 0, "a ring of a mebibyte cannot hold the storm");

        let tally = read_the_rest(&mut watcher);
        let awake = stats(&watcher.handle);
        assert_accounts_for(&awake, &tally);
        assert_eq!(
            awake.capture_lost, tally.capture_lost,
            "every loss was announced"
        );
        unload(service, watcher.leave());
    }
}

/// Reads what is left in the ring, and the announcements of what is not, in the order of the
/// stream.
fn read_the_rest(watcher: &mut Watcher) -> Tally {
    let mut tally = Tally::default();
    let mut last_seq = 0;
    for record in Records::new(&watcher.rest()) {
        let record = record.expect("the driver writes records");
        let seq = record.header().seq;
        assert!(seq > last_seq, "seq {seq} follows {last_seq}");
        if let Record::Lost(lost) = &record
            && lost.stage == stage::SESSION
        {
            assert!(lost.first_seq > last_seq, "what was shown is not lost");
            let width = lost.last_seq - lost.first_seq + 1;
            assert!(lost.counts.iter().sum::<u64>() <= width);
        }
        tally.add(&record);
        last_seq = seq;
    }
    tally
}

#[test]
fn a_session_that_begins_in_mid_storm_with_a_filter_and_a_small_ring_accounts_for_each_event() {
    for transport in Transport::ALL {
        let kernel = boot();
        let service = load(&kernel, &Lab::get());
        let first = Watcher::begin(
            &kernel,
            transport,
            MIN_RING_SIZE,
            &everything(MIN_RING_SIZE),
        );
        // All but eleven processes of a hundred.
        let mask = Kind::ImageLoad.bit() | Kind::HandleOpen.bit() | Kind::ThreadExit.bit();
        let unwanted = "worker1*".encode_utf16().flat_map(u16::to_le_bytes);
        let unwanted: Vec<u8> = unwanted.collect();
        let clauses = [Clause::ExcludeImage(Wide::new(&unwanted)), EVERY_OPEN];
        let input = configure_input(mask, MIN_RING_SIZE, &clauses);
        let mut late = std::thread::scope(|scope| {
            scope.spawn(|| storm(&kernel, &first));
            until("the storm", || {
                let starts = stats(&first.handle).offered[Kind::ProcessStart.index()];
                (starts > 1000).then_some(())
            });
            Watcher::begin(&kernel, transport, MIN_RING_SIZE, &input)
        });

        let all = after_the_storm(&first.handle);
        assert_balances(&all);
        let asleep = stats(&late.handle);
        assert_balances(&asleep);
        for kind in Kind::EVENTS {
            let at = kind.index();
            let captured = asleep.session_captured[at];
            let name = kind.name();
            assert!(
                0 < captured && captured < all.captured[at],
                "{name}: it came late"
            );
            if mask & kind.bit() == 0 {
                assert_eq!(asleep.filtered[at], captured, "{name}: nobody asked for it");
            } else {
                assert!(asleep.filtered[at] > 0, "{name}: of other images");
                assert!(asleep.session_lost[at] > 0, "{name}: the ring was full");
            }
        }
        let tally = read_the_rest(&mut late);
        let awake = stats(&late.handle);
        assert_accounts_for(&awake, &tally);
        assert_eq!(awake.session_captured, asleep.session_captured);
        first.die();
        unload(service, late.leave());
    }
}

#[test]
fn a_client_that_is_never_a_ring_behind_loses_nothing() {
    Transport::ALL.into_iter().for_each(loses_nothing);
}

fn loses_nothing(transport: Transport) {
    let lab = Lab::get();
    let starts = long(STARTS);
    let storm = starts.to_string();
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
        .args(["--transport", transport.name()])
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
    assert_eq!(Kind::EVENTS.map(counted), [Some(starts); 6], "{counts:?}");
    assert_eq!(counted(Kind::Lost), None);
}
