//! Records of the shipped driver's.

use nthost::source::storm::{Activity, Storm};
use nthost::source::{Sessions, Source, Stage};
use ntwatch_protocol::record::Kind;
use ntwatch_tests::lab::{Lab, until};
use ntwatch_tests::machine::{boot, everything, load, stats, unload};
use ntwatch_tests::watcher::{Transport, Watcher};
use std::sync::atomic::AtomicBool;

/// Processes, each with one event of every kind.
const PROCESSES: u64 = 20_000;
/// A ring that has room for all of it.
const RING_SIZE: u32 = 64 << 20;

/// A storm's records, whole.
pub(crate) fn records() -> Vec<u8> {
    let kernel = boot();
    let service = load(&kernel, &Lab::get());
    let input = everything(RING_SIZE);
    let mut watcher = Watcher::begin(&kernel, Transport::Read, RING_SIZE, &input);
    let sessions = Sessions::default();
    sessions.configured(&watcher.handle);
    let mut storm = Storm {
        processes: PROCESSES,
        mix: vec![Activity::Threads, Activity::Images, Activity::Handles],
        threads: 1,
        paced: true,
    };
    let mut records = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            storm.run(&Stage {
                kernel: &kernel,
                sessions: &sessions,
                once: true,
                stop: &AtomicBool::new(false),
            });
        });
        until("the whole storm", || {
            records.extend(watcher.rest());
            let stats = stats(&watcher.handle);
            let delivered = |kind: Kind| stats.delivered[kind.index()] == PROCESSES;
            Kind::EVENTS.into_iter().all(delivered).then_some(())
        });
    });
    unload(service, watcher.leave());
    records
}
