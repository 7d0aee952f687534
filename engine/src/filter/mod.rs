//! Which events a session wants: a CONFIGURE that passed every check, ready to be asked.
//!
//! What a filter means is said in [`ntwatch_protocol::configure`].

mod pattern;
mod processes;

use crate::event::{Event, Party, What};
use crate::memory::OutOfMemory;
use ntwatch_protocol::configure::{AccessMasks, Clause, Configure, selector};
use pattern::Patterns;
use processes::Processes;

/// A session's mask and clauses.
#[derive(Debug)]
pub struct Filter {
    mask: u32,
    access: AccessMasks,
    remote_threads: bool,
    user_images: bool,
    processes: Processes,
    excluded_processes: Processes,
    images: Patterns,
    excluded_images: Patterns,
}

impl Filter {
    /// Keeps what `configure` asks for.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    // Its frame is not to be part of the caller's, on a kernel stack.
    #[inline(never)]
    pub fn new(
        configure: &Configure<'_>,
        upcase: impl Fn(u16) -> u16,
    ) -> Result<Self, OutOfMemory> {
        let processes = |exclude: u32| {
            let selectors = configure.clauses().filter_map(move |clause| match clause {
                Clause::Process(named) if named.flags & selector::EXCLUDE == exclude => Some(named),
                _ => None,
            });
            Processes::new(selectors)
        };
        let images = configure.clauses().filter_map(|clause| match clause {
            Clause::Image(pattern) => Some(pattern),
            _ => None,
        });
        let excluded_images = configure.clauses().filter_map(|clause| match clause {
            Clause::ExcludeImage(pattern) => Some(pattern),
            _ => None,
        });
        let access = configure.clauses().find_map(|clause| match clause {
            Clause::Access(access) => Some(access),
            _ => None,
        });
        let has = |wanted: Clause<'_>| configure.clauses().any(|clause| clause == wanted);
        Ok(Self {
            mask: configure.event_mask,
            access: access.unwrap_or(AccessMasks::DEFAULT),
            remote_threads: has(Clause::RemoteThreads),
            user_images: has(Clause::UserImages),
            processes: processes(0)?,
            excluded_processes: processes(selector::EXCLUDE)?,
            images: Patterns::new(images, &upcase)?,
            excluded_images: Patterns::new(excluded_images, &upcase)?,
        })
    }

    /// The kinds that the session asked for, a mask of [`ntwatch_protocol::record::Kind::bit`].
    #[must_use]
    pub const fn mask(&self) -> u32 {
        self.mask
    }

    /// The rights whose opens it asked for.
    #[must_use]
    pub const fn access(&self) -> AccessMasks {
        self.access
    }

    /// Does it ask for the images of processes?
    #[must_use]
    pub fn asks_for_images(&self) -> bool {
        !self.images.is_empty() || !self.excluded_images.is_empty()
    }

    /// Takes the place of `previous` in its session.
    pub(crate) fn take_over(&mut self, previous: &mut Self) {
        self.processes.take_over(&mut previous.processes);
        self.excluded_processes
            .take_over(&mut previous.excluded_processes);
    }

    /// Does the session want this event? To be asked about each, in order, as starts and exits
    /// tell who descends from whom.
    pub fn passes(&mut self, event: &Event<'_>, upcase: impl Fn(u16) -> u16) -> bool {
        // A process is a descendant from its start to its exit, both among them.
        self.processes.follow_start(event);
        self.excluded_processes.follow_start(event);
        let passes = self.mask & event.kind().bit() != 0
            && self.wants(event.what)
            && self.wants_processes(event)
            && self.wants_images(event, upcase);
        self.processes.follow_exit(event);
        self.excluded_processes.follow_exit(event);
        passes
    }

    fn wants(&self, what: What) -> bool {
        match what {
            What::ProcessStart { .. } | What::ProcessExit => true,
            What::ThreadStart { remote } => remote != Some(false) || !self.remote_threads,
            What::ThreadExit => !self.remote_threads,
            What::ImageLoad { kernel } => !(kernel && self.user_images),
            What::HandleOpen { thread, original } => {
                let mask = match thread {
                    true => self.access.thread,
                    false => self.access.process,
                };
                AccessMasks::wants(mask, original)
            }
        }
    }

    fn wants_processes(&self, event: &Event<'_>) -> bool {
        let about = |processes: &Processes| event.parties().any(|party| processes.has(party.id));
        (self.processes.is_empty() || about(&self.processes)) && !about(&self.excluded_processes)
    }

    fn wants_images(&self, event: &Event<'_>, upcase: impl Fn(u16) -> u16) -> bool {
        let about = |patterns: &Patterns| {
            let is_named = |image| patterns.name(image, &upcase);
            event
                .parties()
                .any(|party: &Party<'_>| party.image.is_some_and(is_named))
        };
        (self.images.is_empty() || about(&self.images)) && !about(&self.excluded_images)
    }
}

#[cfg(test)]
mod tests;
