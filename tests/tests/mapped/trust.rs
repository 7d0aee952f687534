//! A client that lies about how far it has read deceives itself alone.

use nthost::Kernel;
use nthost::source::storm::{Activity, Storm};
use nthost::source::{Sessions, Source, Stage};
use ntwatch_protocol::configure::MIN_RING_SIZE;
use ntwatch_protocol::ioctl::SHUTDOWN;
use ntwatch_protocol::reader::{Record, Records};
use ntwatch_protocol::record::{KIND_SLOTS, PerKind};
use ntwatch_tests::account::{Tally, assert_accounts_for, assert_balances, assert_counts};
use ntwatch_tests::lab::{Lab, long};
use ntwatch_tests::machine::{boot, everything, live_and_die, load, settled, stats, unload};
use ntwatch_tests::mapped::Mapped;
use ntwatch_tests::watcher::{Transport, Watcher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

fn sum(counts: &PerKind) -> u64 {
    counts.iter().sum()
}

#[test]
fn a_position_that_cannot_be_is_none() {
    let kernel = boot();
    let service = load(&kernel, &Lab::get());
    let watcher = Watcher::begin(
        &kernel,
        Transport::Mapped,
        MIN_RING_SIZE,
        &everything(MIN_RING_SIZE),
    );
    for _ in 0..10 {
        live_and_die(&kernel);
    }
    let all = sum(&settled(&watcher.handle).queued);
    let mapped = watcher.mapped.as_ref().expect("a mapped ring");
    let (ring, word) = (mapped.ring(), mapped.word());
    let written = ring.load(0);
    assert!(all > 0 && written > 0);
    let first = u64::from(ring.load(4096) as u32);
    let claim = |position| {
        word.store(0, position);
        let stats = stats(&watcher.handle);
        assert_balances(&stats);
        (sum(&stats.delivered), sum(&stats.queued))
    };
    assert_eq!(claim(written + 8), (0, all), "ahead");
    assert_eq!(claim(u64::MAX), (0, all), "rubbish");
    assert_eq!(claim(first - 8), (0, all), "inside of a record");
    assert_eq!(claim(first), (1, all - 1));
    assert_eq!(claim(0), (1, all - 1), "back");
    assert_eq!(claim(written | 1), (all, 0), "asleep");
    assert_eq!(claim(first), (all, 0), "back again");
    unload(service, watcher.leave());
}

/// While an honest client reads all there is by either transport.
#[test]
fn a_client_that_scribbles_for_a_minute_harms_nobody_else() {
    let minute = Duration::from_secs(long(60));
    let kernel = boot();
    let service = load(&kernel, &Lab::get());
    let mut honest = Transport::ALL.map(|transport| {
        Watcher::begin(
            &kernel,
            transport,
            MIN_RING_SIZE,
            &everything(MIN_RING_SIZE),
        )
    });
    let scribbler = Watcher::begin(
        &kernel,
        Transport::Mapped,
        MIN_RING_SIZE,
        &everything(MIN_RING_SIZE),
    );
    let sessions = Sessions::default();
    let handles = honest.each_ref().map(|watcher| watcher.handle.clone());
    for handle in &handles {
        sessions.configured(handle);
    }
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let read = honest
            .each_mut()
            .map(|watcher| scope.spawn(|| read_all(watcher)));
        let storms = scope.spawn(|| pass_storms_over(&kernel, &sessions, &stop));
        let claims = scribble(scribbler.mapped.as_ref().expect("a mapped ring"), minute);
        assert!(claims > 1000);
        stop.store(true, Ordering::Relaxed);
        storms.join().expect("storms");
        sessions.wait_until_read(|| false);
        let accounts = handles.each_ref().map(|handle| settled(handle));
        assert_balances(&settled(&scribbler.handle));
        assert_eq!(scribbler.handle.ioctl(SHUTDOWN, &[], 0).status, 0);
        for (account, tally) in accounts.iter().zip(read) {
            assert_accounts_for(account, &tally.join().expect("a reader"));
            assert_counts(account, &kernel);
            assert_eq!(account.session_lost, [0; KIND_SLOTS]);
            assert!(sum(&account.delivered) > 1000, "nothing has happened");
        }
    });
    drop(handles);
    honest.into_iter().for_each(Watcher::die);
    unload(service, scribbler.leave());
}

/// Whatever happens, paced by those who read.
fn pass_storms_over(kernel: &Arc<Kernel>, sessions: &Sessions, stop: &AtomicBool) {
    let mut storm = Storm {
        processes: u64::MAX,
        mix: vec![Activity::Threads, Activity::Images, Activity::Handles],
        threads: 1,
        paced: true,
    };
    storm.run(&Stage {
        kernel,
        sessions,
        once: true,
        stop,
    });
}

/// Every event of a session, in order and without a gap.
fn read_all(watcher: &mut Watcher) -> Tally {
    let mut tally = Tally::default();
    let mut last = None;
    while let Some(records) = watcher.wait() {
        for record in Records::new(&records) {
            let record = record.expect("the driver writes records");
            assert!(!matches!(record, Record::Lost(_)), "{record:?}");
            let seq = record.header().seq;
            assert!(
                last.is_none_or(|last| seq == last + 1),
                "{seq} behind {last:?}"
            );
            last = Some(seq);
            tally.add(&record);
        }
    }
    tally
}

/// Says whatever comes to mind about how far it has come. Gives how often.
fn scribble(mapped: &Mapped, time: Duration) -> u64 {
    let end = Instant::now() + time;
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut claims = 0;
    while Instant::now() < end {
        // Marsaglia's xorshift.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let written = mapped.ring().load(0);
        let claim = match random % 5 {
            0 => random,
            1 => written,
            2 => written.wrapping_add(random % 4096),
            3 => written.saturating_sub(random % u64::from(MIN_RING_SIZE)),
            _ => random % written.max(1),
        };
        mapped.word().store(0, claim);
        // The rest of the page is nobody's.
        let offset = 8 * (random >> 32) as usize % 4096;
        if offset != 0 {
            mapped.word().store(offset / 8 * 8, random);
        }
        claims += 1;
        if random.is_multiple_of(64) {
            std::thread::yield_now();
        }
    }
    claims
}
