//! SHA-256 of the files that events name, found beside the stream and not on its way: what reads
//! the driver's ring never waits for a file.
//!
//! Events keep their order. One that names a file waits for the file's hash, and those behind it
//! wait with it: until there is one, or it is known that there is none, for at most [`PATIENCE`]
//! and only while no more than [`MOST_WAITING`] events wait. Then it goes without. [`HashCounts`]
//! says how often.
//!
//! The hash is of the file that bears the name when it is read, a moment after the event: Windows
//! keeps a file from being written while it is mapped, but lets it be renamed, and another put in
//! its place.
//!
//! A file on another machine has none: it is not opened. Whoever starts a program chooses where it
//! lies, and the client would log on there, as the administrator that it runs as.

mod files;

use crate::event::{Body, Event};
use crate::transport::Transport;
use files::{Files, Ticket};
use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// How long an event waits for its hash.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// How many events may wait for hashes, each or the one before it.
pub const MOST_WAITING: usize = 4096;

/// What became of the hashes that events waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HashCounts {
    /// Events that have their hash.
    pub found: u64,
    /// Events whose file was not read: there is none by that name, it is out of this client's
    /// reach or on another machine, or it changed meanwhile.
    pub unreadable: u64,
    /// Events that went without, since their file took too long.
    pub late: u64,
}

/// Between a stream and whoever takes its events.
pub(crate) struct Hashing {
    files: Files,
    waiting: VecDeque<Waiting>,
    counts: HashCounts,
}

struct Waiting {
    event: Event,
    /// Of an event that names a file.
    hash: Option<Ticket>,
    until: Instant,
}

impl Waiting {
    /// Is there nothing that it waits for?
    fn is_answered(&self) -> bool {
        self.hash.as_ref().is_none_or(|hash| hash.get().is_some())
    }
}

impl Hashing {
    /// Of the files of a machine, for as long as somebody has it open.
    pub(crate) fn new(transport: Weak<dyn Transport>) -> Self {
        Self {
            files: Files::new(move |path| transport.upgrade()?.file(path)),
            waiting: VecDeque::new(),
            counts: HashCounts::default(),
        }
    }

    /// Takes an event in. Its hash is looked for from now on.
    pub(crate) fn put(&mut self, mut event: Event) {
        let hash = named(&mut event).and_then(|(path, _)| path.as_ref());
        let hash = hash.map(|path| self.files.ask(path));
        self.waiting.push_back(Waiting {
            event,
            hash,
            until: Instant::now() + PATIENCE,
        });
    }

    /// Are there events that wait?
    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Has the first event waited long enough?
    pub(crate) fn is_ready(&self) -> bool {
        self.waiting.front().is_some_and(|first| {
            first.is_answered()
                || self.waiting.len() > MOST_WAITING
                || Instant::now() >= first.until
        })
    }

    /// The first event, with its hash if there is one, unless it waits.
    pub(crate) fn next(&mut self) -> Option<Event> {
        if !self.is_ready() {
            return None;
        }
        let Waiting {
            mut event, hash, ..
        } = self.waiting.pop_front()?;
        let Some(ticket) = hash else {
            return Some(event);
        };
        match (ticket.get(), named(&mut event)) {
            (Some(Some(hash)), Some((_, sha256))) => {
                *sha256 = Some(Arc::clone(hash));
                self.counts.found += 1;
            }
            (Some(_), _) => self.counts.unreadable += 1,
            (None, _) => self.counts.late += 1,
        }
        Some(event)
    }

    /// Waits until the first event has waited long enough.
    pub(crate) fn wait(&self) {
        if let Some(Waiting {
            hash: Some(hash),
            until,
            ..
        }) = self.waiting.front()
        {
            self.files.wait(hash, *until);
        }
    }

    pub(crate) const fn counts(&self) -> &HashCounts {
        &self.counts
    }
}

type Fact = Option<Arc<str>>;

/// The path of the file that an event names, and where its hash goes.
fn named(event: &mut Event) -> Option<(&Fact, &mut Fact)> {
    match &mut event.body {
        Body::ProcessRunning(start) | Body::ProcessStart(start) => {
            Some((&start.process.image, &mut start.process.sha256))
        }
        Body::ImageLoad(load) => Some((&load.image.path, &mut load.image.sha256)),
        _ => None,
    }
}
