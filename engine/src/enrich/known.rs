//! What the worker remembers of processes.

use crate::facts::System;
use crate::memory::{OutOfMemory, copy_of};
use crate::process_table::{ProcessId, ProcessTable};
use alloc::vec::Vec;
use ntwatch_protocol::wide::Wide;

/// Sets of the table: 8192 processes.
const SETS: usize = 1024;

/// Processes that were seen to start, and those that somebody asked for.
#[derive(Debug)]
pub(super) struct KnownProcesses(ProcessTable<Known>);

#[derive(Debug)]
struct Known {
    /// UTF-16LE: the full path, else the name that it was started by. `None` once Windows was
    /// asked and did not say.
    image: Option<Vec<u8>>,
    /// It is known not to be a subsystem's.
    is_win32: bool,
    threads: Threads,
}

#[derive(Debug, PartialEq)]
enum Threads {
    /// Its start was not seen.
    Unknown,
    /// The first is still to come, from this process.
    ToCome(ProcessId),
    /// It has some, or had.
    Begun,
}

impl KnownProcesses {
    pub(super) fn new() -> Result<Self, OutOfMemory> {
        Ok(Self(ProcessTable::new(SETS)?))
    }

    /// A process has started. `creator`: who did it, and is to create its first thread, if that
    /// will be told of.
    pub(super) fn start(
        &mut self,
        id: ProcessId,
        image: Option<&[u8]>,
        is_win32: bool,
        creator: Option<ProcessId>,
    ) {
        let known = Known {
            // Without memory for it, it is as if Windows did not say.
            image: image.and_then(|image| copy_of(image).ok()),
            is_win32,
            threads: creator.map_or(Threads::Begun, Threads::ToCome),
        };
        self.0.insert(id, known);
    }

    /// A process has ended. Its image, if that is known.
    pub(super) fn exit(&mut self, id: ProcessId) -> Option<Vec<u8>> {
        self.0.remove(id)?.image
    }

    /// A thread has started in a process. Is it the first? `None` if the start of the process was
    /// not seen.
    ///
    /// The first thread of a process comes from whoever created the process. One from somebody
    /// else is taken for a later one, even if the first was lost.
    pub(super) fn is_first_thread(&mut self, id: ProcessId, creator: ProcessId) -> Option<bool> {
        match &mut self.0.get(id)?.threads {
            Threads::Unknown => None,
            threads => {
                let before = core::mem::replace(threads, Threads::Begun);
                Some(before == Threads::ToCome(creator))
            }
        }
    }

    /// Is a process known not to be a subsystem's?
    pub(super) fn is_win32(&self, id: ProcessId) -> bool {
        self.0.peek(id).is_some_and(|known| known.is_win32)
    }

    /// Sees to it that the image of a process is known, if Windows knows it.
    pub(super) fn find_image(&mut self, id: ProcessId, system: &impl System) {
        if id.key == 0 || self.0.get(id).is_some() {
            return;
        }
        let image = system.find_image(id);
        let known = Known {
            image: image.and_then(|image| copy_of(image.as_ref()).ok()),
            is_win32: false,
            threads: Threads::Unknown,
        };
        self.0.insert(id, known);
    }

    /// The image of a process, if it is known.
    pub(super) fn image(&self, id: ProcessId) -> Option<Wide<'_>> {
        let image = self.0.peek(id)?.image.as_ref()?;
        Some(Wide::new(image))
    }
}
