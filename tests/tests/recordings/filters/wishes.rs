//! The filters of the sessions, each twice: as the driver gets it, and in the words of the
//! recording.

use super::told::{STORM, Told, file_name};
use ntwatch_protocol::access::process::{TERMINATE, VM_READ};
use ntwatch_protocol::configure::{AccessMasks, Clause, Selector, selector};
use ntwatch_protocol::record::Kind;
use ntwatch_protocol::wide::Wide;
use ntwatch_tests::recording::{Event, Party};
use std::collections::{HashMap, HashSet};

/// A condition of ours, in the words of the recording.
pub(super) type Condition = Box<dyn Fn(&Moment<'_>) -> bool>;

/// One session's filter twice: as the driver gets it, and as a condition.
pub(super) struct Wish {
    pub(super) mask: u32,
    pub(super) clauses: Vec<OwnClause>,
    pub(super) condition: Condition,
    pub(super) made_up: MadeUp,
}

/// Which of the events that are in no recording a session is to see, if its mask has them.
#[derive(Clone, Copy)]
pub(super) enum MadeUp {
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
    pub(super) fn has(self, told: &Told) -> Option<bool> {
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
pub(super) enum OwnClause {
    Process(Selector),
    Image(Vec<u8>),
    ExcludeImage(Vec<u8>),
    Other(Clause<'static>),
}

impl OwnClause {
    pub(super) fn lend(&self) -> Clause<'_> {
        match self {
            OwnClause::Process(selector) => Clause::Process(*selector),
            OwnClause::Image(pattern) => Clause::Image(Wide::new(pattern)),
            OwnClause::ExcludeImage(pattern) => Clause::ExcludeImage(Wide::new(pattern)),
            OwnClause::Other(clause) => *clause,
        }
    }
}

/// An event and what is known at its time.
pub(super) struct Moment<'a> {
    pub(super) event: &'a Event,
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
pub(super) fn moments(events: &[Event], root: u64, luck: bool) -> Vec<Moment<'_>> {
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
            // Not told of yet. Who had its pid before is gone by then, though no exit says so: the
            // machine was restarted.
            let same = |(_, pid): &(&&str, &u64)| process.pid == Some(**pid);
            let guids = pids.iter().filter(same).map(|(guid, _)| *guid);
            knows.extend(guids.map(|guid| (guid, Knows::Perhaps)));
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
pub(super) fn commonest<T: Clone + Eq + std::hash::Hash + Ord>(
    of: impl Iterator<Item = T>,
) -> Option<T> {
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
pub(super) fn wishes(pid: u64, image: String, root: u64) -> Vec<Wish> {
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
