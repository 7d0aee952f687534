//! What a session wants to see.

pub(crate) mod pattern;
mod resolved;
mod words;

pub(crate) use resolved::Resolved;

use crate::rights::Rights;
use ntwatch_protocol::record::Kind;

/// Which events a session gets: all of them but opens that only look, unless told otherwise.
/// Conditions of one kind widen each other, those of different kinds narrow.
///
/// What an event is *about*: a process event, its process; a thread event, the thread's process
/// and, for a start, its creator's; an image load, the process that it is mapped into, and a
/// kernel image none; a handle, the process that opens and the one that is opened, or whose thread
/// is. A condition that includes holds if one of them fits, one that excludes if none does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    events: u32,
    pub(crate) included: Vec<Select>,
    excluded: Vec<Select>,
    pub(crate) images: Vec<String>,
    excluded_images: Vec<String>,
    pub(crate) access: Option<Rights>,
    remote_threads: bool,
    user_images: bool,
    ring_size: u32,
}

/// A process, or a process and its descendants. A process that runs when the session begins is
/// meant itself; any other pid stands for whoever gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Select {
    pid: u32,
    descendants: bool,
    any_bearer: bool,
}

impl Select {
    /// This process alone.
    #[must_use]
    pub const fn pid(pid: u32) -> Self {
        Self {
            pid,
            descendants: false,
            any_bearer: false,
        }
    }

    /// Whoever has this pid, one after another.
    pub(crate) const fn any_bearer(pid: u32) -> Self {
        Self {
            any_bearer: true,
            ..Self::pid(pid)
        }
    }

    /// Those too that have it for a parent, and theirs in turn. Of those that run already, the
    /// ones whose parents up to this process run, too. One that begins while the session does may
    /// be told of a moment late.
    #[must_use]
    pub const fn with_descendants(mut self) -> Self {
        self.descendants = true;
        self
    }
}

impl From<u32> for Select {
    fn from(pid: u32) -> Self {
        Self::pid(pid)
    }
}

impl Filter {
    /// Everything but opens that only look, through a ring of the driver's default size.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Events of this kind, and of those named before or after. The driver is asked for process
    /// starts and exits besides, as far as the other conditions let them through: the names of
    /// processes come from them. What else is joined comes from the kinds that are asked for: the
    /// module that a thread starts in from image loads, the creator of a thread that ends from
    /// thread starts.
    #[must_use]
    pub fn event(mut self, kind: Kind) -> Self {
        self.events |= kind.bit();
        self
    }

    /// Events about these processes.
    #[must_use]
    pub fn process(mut self, processes: impl Into<Select>) -> Self {
        self.included.push(processes.into());
        self
    }

    /// No events about these processes.
    #[must_use]
    pub fn exclude(mut self, processes: impl Into<Select>) -> Self {
        self.excluded.push(processes.into());
        self
    }

    /// Events about processes with such an image: `*` stands for any text, `?` for one UTF-16 unit,
    /// case does not count. A pattern without a separator is held against the last part of the
    /// path. One that begins with a drive or with `\\server` is turned to its device.
    #[must_use]
    pub fn image(mut self, pattern: impl Into<String>) -> Self {
        self.images.push(pattern.into());
        self
    }

    /// No events about processes with such an image.
    #[must_use]
    pub fn exclude_image(mut self, pattern: impl Into<String>) -> Self {
        self.excluded_images.push(pattern.into());
        self
    }

    /// Of handles, those that ask for one of these rights, or of those named before or after; in
    /// place of [`Rights::MORE_THAN_QUERY`].
    #[must_use]
    pub fn access(mut self, rights: Rights) -> Self {
        self.access = Some(self.access.unwrap_or_default().or(rights));
        self
    }

    /// Of threads, only the starts of those that another process started, or may have.
    #[must_use]
    pub const fn remote_threads_only(mut self) -> Self {
        self.remote_threads = true;
        self
    }

    /// Of images, only those mapped into a process.
    #[must_use]
    pub const fn user_images_only(mut self) -> Self {
        self.user_images = true;
        self
    }

    /// The size of the session's ring in bytes, a power of two: how much may wait to be read.
    #[must_use]
    pub const fn ring_size(mut self, bytes: u32) -> Self {
        self.ring_size = bytes;
        self
    }

    const fn has(&self, kind: Kind) -> bool {
        self.shown() & kind.bit() != 0
    }

    /// These kinds alone, a mask of [`Kind::bit`].
    pub(crate) const fn only(mut self, kinds: u32) -> Self {
        self.events = kinds;
        self
    }

    /// The kinds that come out, a mask of [`Kind::bit`].
    pub(crate) const fn shown(&self) -> u32 {
        let asked = if self.events == 0 {
            Kind::ALL_EVENTS
        } else {
            self.events
        };
        if self.remote_threads {
            // The end of a thread does not say who started it.
            asked & !Kind::ThreadExit.bit()
        } else {
            asked
        }
    }
}
