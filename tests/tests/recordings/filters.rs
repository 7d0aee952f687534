//! Sixteen sessions, each with a filter of its own, watch one replay: each sees what its filter
//! says, as a second filter over the recording has it, and the account of each has what its reads
//! brought. One of them sleeps until its ring is full, and no other notices.

use libtest_mimic::Failed;
use nthost::Kernel;
use nthost::io::FileHandle;
use nthost::ob::ObjectRef;
use nthost::ps::NewImage;
use nthost::source::replay::{Player, Recording, Speed};
use nthost::source::{Sessions, Source, Stage};
use ntwatch_protocol::access::process::{TERMINATE, VM_READ};
use ntwatch_protocol::configure::{AccessMasks, Clause, MIN_RING_SIZE, Selector, selector};
use ntwatch_protocol::ioctl::{CONFIGURE, MAX_SESSIONS, SHUTDOWN};
use ntwatch_protocol::reader::{Record, Records};
use ntwatch_protocol::record::{KIND_SLOTS, Kind};
use ntwatch_protocol::thread;
use ntwatch_protocol::wide::Wide;
use ntwatch_tests::account::{Tally, assert_accounts_for};
use ntwatch_tests::lab::{Lab, until};
use ntwatch_tests::machine::{client, configure_input, end_of, load, stats, submit_read, unload};
use ntwatch_tests::recording::{Event, Party};
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What both a record and a recorded event tell.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    kind: Kind,
    /// The process that it happens to; `None` where the recording does not have it.
    pid: Option<u64>,
    /// Who does it.
    by: Option<u64>,
    /// Granted access, or thread id.
    number: u64,
    /// The last part of an image's path.
    name: String,
    /// Not in the recording: threads that are not remote and the ends of threads, which Sysmon
    /// does not record, and images of this test.
    made_up: bool,
}

/// A driver that is loaded before the replay.
const DRIVER: &str = "null.sys";
/// An image that is mapped until the sleeping session's ring is full.
const STORM: &str = "storm.dll";
const STORM_IMAGES: u32 = 10_000;
/// Of these so many at once: they fit into every other ring.
const STORM_STEP: u32 = 500;

impl Told {
    fn new(kind: Kind, pid: Option<u64>) -> Self {
        Told {
            kind,
            pid,
            by: None,
            number: 0,
            name: String::new(),
            made_up: false,
        }
    }

    fn of_record(record: &Record<'_>) -> Self {
        let told = |kind, pid: u32| Told::new(kind, Some(pid.into()));
        match record {
            Record::ProcessStart(start) => Told {
                by: Some(start.parent_pid.into()),
                ..told(Kind::ProcessStart, start.pid)
            },
            Record::ProcessExit(exit) => told(Kind::ProcessExit, exit.pid),
            Record::ThreadStart(start) => Told {
                by: Some(start.creator_pid.into()),
                number: start.tid.into(),
                made_up: !start.flag(thread::flags::REMOTE),
                ..told(Kind::ThreadStart, start.pid)
            },
            Record::ThreadExit(exit) => Told {
                number: exit.tid.into(),
                made_up: true,
                ..told(Kind::ThreadExit, exit.pid)
            },
            Record::ImageLoad(image) => {
                let name = image.name().map(|name| name.to_string());
                let name = file_name(&name.unwrap_or_default());
                Told {
                    made_up: [DRIVER, STORM].contains(&name.as_str()),
                    name,
                    ..told(Kind::ImageLoad, image.pid)
                }
            }
            Record::HandleOpen(open) => Told {
                by: Some(open.source_pid.into()),
                number: open.granted.into(),
                ..told(Kind::HandleOpen, open.target_pid)
            },
            Record::Lost(_) | Record::Unknown(_) => panic!("{record:?}"),
        }
    }

    fn of_event(event: &Event) -> Self {
        match event {
            Event::Start {
                process, parent, ..
            } => Told {
                by: parent.pid,
                ..Told::new(Kind::ProcessStart, process.pid)
            },
            Event::Exit { process } => Told::new(Kind::ProcessExit, process.pid),
            Event::Image { process, path } => Told {
                name: file_name(path),
                ..Told::new(Kind::ImageLoad, process.pid)
            },
            Event::RemoteThread {
                source,
                target,
                tid,
                ..
            } => Told {
                by: source.pid,
                number: *tid,
                ..Told::new(Kind::ThreadStart, target.pid)
            },
            Event::Open {
                source,
                target,
                granted,
                ..
            } => Told {
                by: source.pid,
                number: *granted,
                ..Told::new(Kind::HandleOpen, target.pid)
            },
        }
    }

    fn is(&self, recorded: &Self) -> bool {
        let pid = recorded.pid.or(self.pid);
        *self
            == Told {
                pid,
                ..recorded.clone()
            }
    }
}

fn file_name(path: &str) -> String {
    path.rsplit('\\').next().unwrap_or(path).to_lowercase()
}

/// A condition of ours, in the words of the recording.
type Condition = Box<dyn Fn(&Moment<'_>) -> bool>;

/// One session's filter twice: as the driver gets it, and as a condition.
struct Wish {
    mask: u32,
    clauses: Vec<OwnClause>,
    condition: Condition,
    made_up: MadeUp,
}

/// Which of the events that are in no recording a session is to see, if its mask has them.
#[derive(Clone, Copy)]
enum MadeUp {
    /// All of them.
    All,
    /// All but drivers and threads.
    NoDrivers,
    /// Those about this process.
    About(u64),
    /// Those not about this process.
    NotAbout(u64),
    /// No others than these, by image or family: of which process they are is not said.
    Among,
}

impl MadeUp {
    /// Is it to be seen? `None` if that cannot be said.
    fn has(self, told: &Told) -> Option<bool> {
        let about = |pid: u64| told.pid == Some(pid) || told.by == Some(pid);
        match self {
            MadeUp::All => Some(true),
            MadeUp::NoDrivers => Some(told.name == STORM),
            MadeUp::About(pid) => Some(about(pid)),
            MadeUp::NotAbout(pid) => Some(!about(pid)),
            MadeUp::Among => None,
        }
    }
}

/// A clause with its pattern.
enum OwnClause {
    Process(Selector),
    Image(Vec<u8>),
    ExcludeImage(Vec<u8>),
    Other(Clause<'static>),
}

impl OwnClause {
    fn lend(&self) -> Clause<'_> {
        match self {
            OwnClause::Process(selector) => Clause::Process(*selector),
            OwnClause::Image(pattern) => Clause::Image(Wide::new(pattern)),
            OwnClause::ExcludeImage(pattern) => Clause::ExcludeImage(Wide::new(pattern)),
            OwnClause::Other(clause) => *clause,
        }
    }
}

/// An event and what is known at its time.
struct Moment<'a> {
    event: &'a Event,
    kind: Kind,
    /// Of each process that it is about: its pid, its image's file name if that can be known, and
    /// whether it is in the tree.
    about: Vec<(u64, Option<String>, bool)>,
}

impl Moment<'_> {
    fn about_pid(&self, pid: u64) -> bool {
        self.about.iter().any(|(about, ..)| *about == pid)
    }

    fn about_image(&self, name: &str) -> bool {
        let is_it = |image: &Option<String>| image.as_deref() == Some(name);
        self.about.iter().any(|(_, image, _)| is_it(image))
    }

    fn about_tree(&self) -> bool {
        self.about.iter().any(|(.., in_tree)| *in_tree)
    }

    /// Does an open, if it is one, ask for one of these rights?
    fn asks_for(&self, mask: u64) -> bool {
        match self.event {
            Event::Open { granted, .. } => granted & mask != 0,
            _ => true,
        }
    }
}

/// Does the driver know the image of a process? While it runs; but one whose start it has not seen
/// it has to ask for, and that may be gone by then.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Knows {
    Always,
    Perhaps,
}

/// The moments of a recording, with a tree that grows from the process with `root` for a pid. What
/// the driver knows perhaps, it does or does not, as `luck` has it.
fn moments(events: &[Event], root: u64, luck: bool) -> Vec<Moment<'_>> {
    let parties = || {
        events.iter().flat_map(|event| {
            let parent = match event {
                Event::Start { parent, .. } => Some(parent),
                _ => None,
            };
            event.about().into_iter().chain(parent)
        })
    };
    let mut pids = HashMap::new();
    let mut images = HashMap::new();
    for Party { guid, pid, image } in parties() {
        pid.map(|pid| pids.entry(guid.as_str()).or_insert(pid));
        if let Some(image) = image {
            images
                .entry(guid.as_str())
                .or_insert_with(|| file_name(image));
        }
    }
    // Where the two differ in more than case, the start has the name.
    for event in events {
        if let Event::Start { process, .. } = event
            && let Some(image) = &process.image
        {
            images.insert(&process.guid, file_name(image));
        }
    }
    let mut knows = HashMap::new();
    for event in events {
        if let Event::Exit { process } = event {
            knows.insert(process.guid.as_str(), Knows::Perhaps);
        }
        if let Event::Start { process, .. } = event {
            // Not told of yet.
            knows.insert(process.guid.as_str(), Knows::Perhaps);
        }
    }
    let pid_of = |party: &Party| pids.get(party.guid.as_str()).copied().unwrap_or(0);
    let mut tree = HashSet::new();
    let mut told = Vec::new();
    for event in events {
        if let Event::Start {
            process, parent, ..
        } = event
            && (pid_of(parent) == root || tree.contains(parent.guid.as_str()))
        {
            tree.insert(process.guid.as_str());
        }
        if let Event::Start { process, .. } = event {
            knows.insert(&process.guid, Knows::Always);
        }
        let about = event.about().into_iter().map(|party| {
            let known = knows.get(party.guid.as_str()).unwrap_or(&Knows::Always);
            let image = images.get(party.guid.as_str()).cloned();
            let image = image.filter(|_| luck || *known == Knows::Always);
            let pid = pid_of(party);
            (
                pid,
                image,
                pid == root || tree.contains(party.guid.as_str()),
            )
        });
        told.push(Moment {
            event,
            kind: Told::of_event(event).kind,
            about: about.collect(),
        });
        if let Event::Exit { process } = event {
            tree.remove(process.guid.as_str());
            knows.insert(&process.guid, Knows::Perhaps);
        }
    }
    told
}

/// The one that `of` says most often.
fn commonest<T: Clone + Eq + std::hash::Hash + Ord>(of: impl Iterator<Item = T>) -> Option<T> {
    let mut counts = HashMap::new();
    for value in of {
        *counts.entry(value).or_insert(0) += 1;
    }
    let most = counts
        .into_iter()
        .max_by_key(|(value, count)| (*count, value.clone()));
    most.map(|(value, _)| value)
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// Fifteen filters that a recording has something for; the sixteenth session sleeps.
fn wishes(pid: u64, image: String, root: u64) -> Vec<Wish> {
    let all = Kind::ALL_EVENTS;
    let process = |pid: u64, flags| {
        OwnClause::Process(Selector {
            pid: pid as u32,
            flags,
            key: 0,
        })
    };
    let every_open = || OwnClause::Other(Clause::Access(AccessMasks::ALL));
    let access = |process| {
        let masks = AccessMasks { process, thread: 0 };
        OwnClause::Other(Clause::Access(masks))
    };
    let wish = |mask, clauses, condition: Condition, made_up| Wish {
        mask,
        clauses,
        condition,
        made_up,
    };
    let kind = |kind: Kind| {
        wish(
            kind.bit(),
            vec![every_open()],
            Box::new(move |m| m.kind == kind),
            MadeUp::All,
        )
    };
    let default = u64::from(AccessMasks::DEFAULT.process);
    let is_remote = |m: &Moment<'_>| matches!(m.event, Event::RemoteThread { .. });
    let (by_name, by_pattern, not_by_name) = (image.clone(), image.clone(), image.clone());
    let pattern = format!("*\\{}", image.to_uppercase());
    vec![
        wish(all, vec![every_open()], Box::new(|_| true), MadeUp::All),
        wish(
            all,
            vec![],
            Box::new(move |m| m.asks_for(default)),
            MadeUp::All,
        ),
        kind(Kind::ProcessStart),
        kind(Kind::ProcessExit),
        kind(Kind::ImageLoad),
        kind(Kind::HandleOpen),
        wish(
            all,
            vec![every_open(), process(pid, 0)],
            Box::new(move |m| m.about_pid(pid)),
            MadeUp::About(pid),
        ),
        wish(
            all,
            vec![every_open(), process(pid, selector::EXCLUDE)],
            Box::new(move |m| !m.about_pid(pid)),
            MadeUp::NotAbout(pid),
        ),
        wish(
            all,
            vec![every_open(), process(root, selector::DESCENDANTS)],
            Box::new(|m| m.about_tree()),
            MadeUp::Among,
        ),
        wish(
            all,
            vec![
                every_open(),
                process(root, selector::DESCENDANTS | selector::EXCLUDE),
            ],
            Box::new(|m| !m.about_tree()),
            MadeUp::Among,
        ),
        wish(
            all,
            vec![every_open(), OwnClause::Image(wide(&image))],
            Box::new(move |m| m.about_image(&by_name)),
            MadeUp::Among,
        ),
        wish(
            all,
            vec![
                every_open(),
                OwnClause::Image(wide(&pattern)),
                process(pid, 0),
            ],
            Box::new(move |m| m.about_image(&by_pattern) && m.about_pid(pid)),
            MadeUp::Among,
        ),
        wish(
            all,
            vec![every_open(), OwnClause::ExcludeImage(wide(&image))],
            Box::new(move |m| !m.about_image(&not_by_name)),
            MadeUp::Among,
        ),
        wish(
            Kind::HandleOpen.bit(),
            vec![access(VM_READ | TERMINATE)],
            Box::new(|m| m.kind == Kind::HandleOpen && m.asks_for((VM_READ | TERMINATE).into())),
            MadeUp::All,
        ),
        wish(
            Kind::ThreadStart.bit() | Kind::ImageLoad.bit(),
            vec![
                OwnClause::Other(Clause::RemoteThreads),
                OwnClause::Other(Clause::UserImages),
            ],
            Box::new(move |m| m.kind == Kind::ImageLoad || is_remote(m)),
            MadeUp::NoDrivers,
        ),
    ]
}

pub(super) fn replay(path: &Path, host: &str, events: &[Event]) -> Result<(), Failed> {
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
            let watcher = client(&kernel);
            let clauses: Vec<_> = wish.clauses.iter().map(OwnClause::lend).collect();
            let input = configure_input(wish.mask, 0, &clauses);
            let done = watcher.1.ioctl(CONFIGURE, &input, 0);
            assert_eq!(done.status, 0, "CONFIGURE: {:#x}", done.status);
            watcher
        })
        .collect();
    // Nobody reads here; the others must not notice.
    let asleep = client(&kernel);
    let input = configure_input(Kind::ALL_EVENTS, MIN_RING_SIZE, &[]);
    assert_eq!(asleep.1.ioctl(CONFIGURE, &input, 0).status, 0);
    for (_, handle) in &watchers {
        sessions.configured(handle);
    }

    let stop = AtomicBool::new(false);
    let seen: Vec<Vec<Told>> = std::thread::scope(|scope| {
        let readers: Vec<_> = watchers
            .iter()
            .map(|(_, handle)| scope.spawn(|| read_all(handle)))
            .collect();
        fill(&kernel, &sessions, &asleep.1);
        player.run(&Stage {
            kernel: &kernel,
            sessions: &sessions,
            once: true,
            stop: &stop,
        });
        sessions.wait_until_read(|| false);
        let slept = read_the_rest(&asleep.1);
        assert_accounts_for(&stats(&asleep.1), &slept);
        let accounts: Vec<_> = watchers.iter().map(|(_, handle)| stats(handle)).collect();
        assert_eq!(asleep.1.ioctl(SHUTDOWN, &[], 0).status, 0);
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
    let (last, handle) = asleep;
    drop(handle);
    for (watcher, handle) in watchers.drain(..) {
        drop(handle);
        watcher.die();
    }
    unload(service, last);
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
fn read_all(handle: &Arc<FileHandle>) -> (Vec<Told>, Tally) {
    let mut told = Vec::new();
    let mut tally = Tally::default();
    loop {
        let done = end_of(&submit_read(handle));
        if done.status != 0 {
            return (told, tally);
        }
        for record in Records::new(&done.output) {
            let record = record.expect("the driver writes records");
            tally.add(&record);
            told.push(Told::of_record(&record));
        }
    }
}

/// What is left in the ring of a session that nobody has read, and what was lost.
fn read_the_rest(handle: &Arc<FileHandle>) -> Tally {
    let mut tally = Tally::default();
    loop {
        // Completed at once if there is anything to read, else by the cancel.
        let read = submit_read(handle);
        read.cancel();
        let done = end_of(&read);
        if done.status != 0 {
            return tally;
        }
        for record in Records::new(&done.output) {
            tally.add(&record.expect("the driver writes records"));
        }
    }
}
