//! All sessions, as the worker sees them.

use crate::capture::Listening;
use crate::event::Event;
use crate::session::Feed;
use ntwatch_protocol::ioctl::MAX_SESSIONS;
use ntwatch_protocol::record::{FIRST_SEQ, Kind, PerKind};

/// A set of sessions by their number, below [`MAX_SESSIONS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionSet(u16);

const _: () = assert!(MAX_SESSIONS <= u16::BITS as usize);

impl SessionSet {
    fn insert(&mut self, session: u32) {
        self.0 |= 1u16.checked_shl(session).unwrap_or(0);
    }

    /// Adds the sessions of `other`.
    pub fn merge(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// The sessions, by number.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..MAX_SESSIONS).filter(move |session| self.0 >> session & 1 != 0)
    }
}

/// What the worker tells all sessions.
#[derive(Clone, Copy, Debug)]
pub enum News<'a> {
    /// Something happened.
    Event(Event<'a>),
    /// The capture ring had no room for some events.
    Lost {
        /// How many, by kind.
        counts: &'a PerKind,
        /// The number of the announcement.
        seq: u64,
        /// When the worker noticed.
        time: i64,
    },
}

impl News<'_> {
    const fn seq(&self) -> u64 {
        match self {
            News::Event(event) => event.seq,
            News::Lost { seq, .. } => *seq,
        }
    }
}

/// The worker's ends of the sessions, by session number.
pub struct Feeds<'r> {
    feeds: [Feed<'r>; MAX_SESSIONS],
    next_seq: u64,
}

impl<'r> Feeds<'r> {
    /// No session is configured.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            feeds: [const { Feed::closed() }; MAX_SESSIONS],
            next_seq: FIRST_SEQ,
        }
    }

    /// The feed of session number `session`, below [`MAX_SESSIONS`].
    pub fn feed(&mut self, session: usize) -> Option<&mut Feed<'r>> {
        self.feeds.get_mut(session)
    }

    /// What any session wants. Whoever wants something gets process starts and exits captured:
    /// the worker joins everything else by them.
    #[must_use]
    pub fn listening(&self) -> Listening {
        let mut listening = Listening::default();
        for filter in self.feeds.iter().filter_map(Feed::filter) {
            listening.mask |= filter.mask() | Kind::PROCESS_EVENTS;
            listening.images |= filter.asks_for_images();
            if filter.mask() & Kind::HandleOpen.bit() != 0 {
                let access = filter.access();
                listening.process_access |= access.process;
                listening.thread_access |= access.thread;
            }
        }
        listening
    }

    /// The number that the next event gets.
    #[must_use]
    pub const fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Tells every session; gives back those that it is news for, be it that they lost it.
    pub fn tell(&mut self, news: &News<'_>, upcase: impl Fn(u16) -> u16) -> SessionSet {
        let mut concerned = SessionSet::default();
        self.next_seq = news.seq().saturating_add(1);
        for (session, feed) in (0..).zip(&mut self.feeds) {
            let concerns_it = match news {
                News::Event(event) => feed.offer(event, &upcase),
                News::Lost { counts, seq, time } => feed.lost_in_capture(counts, *seq, *time),
            };
            if concerns_it {
                concerned.insert(session);
            }
        }
        concerned
    }
}

impl Default for Feeds<'_> {
    fn default() -> Self {
        Self::new()
    }
}
