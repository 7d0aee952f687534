//! Sixteen sessions, each with a filter of its own, watch one replay: each sees what its filter
//! says, as a second filter over the recording has it, and the account of each has what its reads
//! brought. One of them sleeps until its ring is full, and no other notices.

mod told;
mod wishes;

use libtest_mimic::Failed;
use nthost::Kernel;
use nthost::io::FileHandle;
use nthost::ob::ObjectRef;
use nthost::ps::NewImage;
use nthost::source::replay::{Player, Recording, Speed};
use nthost::source::{Sessions, Source, Stage};
use ntwatch_protocol::configure::MIN_RING_SIZE;
use ntwatch_protocol::ioctl::{MAX_SESSIONS, SHUTDOWN};
use ntwatch_protocol::reader::Records;
use ntwatch_protocol::record::{KIND_SLOTS, Kind};
use ntwatch_tests::account::{Tally, assert_accounts_for};
use ntwatch_tests::lab::{Lab, until};
use ntwatch_tests::machine::{configure_input, load, stats, unload};
use ntwatch_tests::recording::Event;
use ntwatch_tests::watcher::{Transport, Watcher};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use told::{DRIVER, STORM, Told, file_name};
use wishes::{MadeUp, OwnClause, commonest, moments, wishes};

const STORM_IMAGES: u32 = 10_000;
/// Of these so many at once: they fit into every other ring.
const STORM_STEP: u32 = 500;

pub(super) fn replay(
    path: &Path,
    host: &str,
    events: &[Event],
    transport: Transport,
) -> Result<(), Failed> {
    let pids = || {
        events
            .iter()
            .flat_map(Event::about)
            .filter_map(|party| party.pid)
    };
    let images = || {
        events
            .iter()
            .flat_map(Event::about)
            .filter_map(|party| party.image.as_deref())
    };
    let parents = events.iter().filter_map(|event| match event {
        Event::Start { parent, .. } => parent.pid,
        _ => None,
    });
    let pid = commonest(pids()).unwrap_or(4);
    let image = commonest(images().map(file_name)).unwrap_or_default();
    let root = commonest(parents).unwrap_or(pid);
    let wishes = wishes(pid, image, root);
    assert_eq!(wishes.len() + 1, MAX_SESSIONS);

    let mut player = Player::new(Recording::open(path, Some(host))?, Speed::Max);
    let kernel = Kernel::boot(player.config());
    let service = load(&kernel, &Lab::get());
    player.populate(&kernel);
    let sessions = Sessions::default();
    let mut watchers: Vec<_> = wishes
        .iter()
        .map(|wish| {
            let clauses: Vec<_> = wish.clauses.iter().map(OwnClause::lend).collect();
            let input = configure_input(wish.mask, 0, &clauses);
            Watcher::begin(&kernel, transport, 0, &input)
        })
        .collect();
    // Nobody reads here; the others must not notice.
    let input = configure_input(Kind::ALL_EVENTS, MIN_RING_SIZE, &[]);
    let mut asleep = Watcher::begin(&kernel, transport, MIN_RING_SIZE, &input);
    let handles: Vec<_> = watchers
        .iter()
        .map(|watcher| watcher.handle.clone())
        .collect();
    for handle in &handles {
        sessions.configured(handle);
    }

    let stop = AtomicBool::new(false);
    let seen: Vec<Vec<Told>> = std::thread::scope(|scope| {
        let readers: Vec<_> = watchers
            .iter_mut()
            .map(|watcher| scope.spawn(|| read_all(watcher)))
            .collect();
        fill(&kernel, &sessions, &asleep.handle);
        player.run(&Stage {
            kernel: &kernel,
            sessions: &sessions,
            once: true,
            stop: &stop,
        });
        sessions.wait_until_read(|| false);
        let slept = tally(&asleep.rest());
        assert_accounts_for(&stats(&asleep.handle), &slept);
        let accounts: Vec<_> = handles.iter().map(|handle| stats(handle)).collect();
        assert_eq!(asleep.handle.ioctl(SHUTDOWN, &[], 0).status, 0);
        let read = readers
            .into_iter()
            .map(|reader| reader.join().expect("a reader"));
        let mut seen = Vec::new();
        for (account, (told, tally)) in accounts.iter().zip(read) {
            assert_accounts_for(account, &tally);
            // Each session was held against everything, and lost nothing.
            assert_eq!(account.session_captured, account.captured);
            assert_eq!(account.session_lost, [0; KIND_SLOTS]);
            assert_eq!(account.queued, [0; KIND_SLOTS]);
            seen.push(told);
        }
        seen
    });

    let every_made_up: Vec<_> = seen[0]
        .iter()
        .filter(|told| told.made_up)
        .cloned()
        .collect();
    for (number, (wish, seen)) in wishes.iter().zip(&seen).enumerate() {
        let made_up = seen.iter().filter(|told| told.made_up);
        let wanted = every_made_up.iter().filter(|told| {
            wish.mask & told.kind.bit() != 0 && wish.made_up.has(told).unwrap_or(true)
        });
        let is_right = match wish.made_up {
            MadeUp::Among => {
                let mut wanted = wanted;
                made_up
                    .into_iter()
                    .all(|told| wanted.any(|wanted| wanted == told))
            }
            _ => made_up.eq(wanted),
        };
        if !is_right {
            return Err(format!("session {number} has other made-up events").into());
        }
    }
    let moments = [true, false].map(|luck| moments(events, root, luck));
    for (number, (wish, mut seen)) in wishes.iter().zip(seen).enumerate() {
        seen.retain(|told| !told.made_up);
        let (mut wanted, mut perhaps) = (Vec::new(), Vec::new());
        for (lucky, unlucky) in moments[0].iter().zip(&moments[1]) {
            let told = Told::of_event(lucky.event);
            match ((wish.condition)(lucky), (wish.condition)(unlucky)) {
                (true, true) => wanted.push(told),
                (false, false) => {}
                _ => perhaps.push(told),
            }
        }
        // What may be seen or not says nothing, and neither does what looks like it.
        let says = |told: &Told| !perhaps.iter().any(|perhaps| told.is(perhaps));
        seen.retain(says);
        wanted.retain(says);
        for (at, (seen, wanted)) in seen.iter().zip(&wanted).enumerate() {
            if !seen.is(wanted) {
                let what = format!("session {number}, event {at}: {seen:?}, not {wanted:?}");
                return Err(what.into());
            }
        }
        if seen.len() != wanted.len() {
            let (seen, wanted) = (seen.len(), wanted.len());
            return Err(format!("session {number}: {seen} events, not {wanted}").into());
        }
    }
    drop(handles);
    watchers.into_iter().for_each(Watcher::die);
    unload(service, asleep.leave());
    Ok(())
}

/// Loads a driver, and maps images until the ring of the session that sleeps is full. The others
/// are given time to read.
fn fill(kernel: &Arc<Kernel>, sessions: &Sessions, asleep: &FileHandle) {
    let image = |name: &str| NewImage {
        name: Some(format!(r"\Device\HarddiskVolume3\Windows\System32\{name}")),
        ..NewImage::default()
    };
    kernel.enter(&kernel.ps.system, || kernel.load_image(None, image(DRIVER)));
    let process = kernel
        .ps
        .create_process(ObjectRef::clone(&kernel.ps.system.token));
    for _ in 0..STORM_IMAGES / STORM_STEP {
        kernel.enter(&process, || {
            for _ in 0..STORM_STEP {
                kernel.load_image(Some(&process), image(STORM));
            }
        });
        sessions.wait_until_read(|| false);
    }
    let account = until("the storm to be over", || {
        let stats = stats(asleep);
        (stats.session_captured == stats.captured).then_some(stats)
    });
    let lost = account.session_lost[Kind::ImageLoad.index()];
    assert!(lost > 0, "the session that sleeps has lost nothing");
}

/// All that a session brings until the driver is shut down, in a word each.
fn read_all(watcher: &mut Watcher) -> (Vec<Told>, Tally) {
    let mut told = Vec::new();
    let mut all = Tally::default();
    while let Some(records) = watcher.wait() {
        for record in Records::new(&records) {
            let record = record.expect("the driver writes records");
            all.add(&record);
            told.push(Told::of_record(&record));
        }
    }
    (told, all)
}

fn tally(records: &[u8]) -> Tally {
    let mut tally = Tally::default();
    for record in Records::new(records) {
        tally.add(&record.expect("the driver writes records"));
    }
    tally
}
