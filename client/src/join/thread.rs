//! Thread starts and exits.

use super::{Joiner, start_key};
use crate::event::{Hex, Subsystem, Thread, ThreadExit, ThreadStart};
use crate::table::{Identity, Started};
use ntwatch_protocol::reader::View;
use ntwatch_protocol::record::Kind;
use ntwatch_protocol::thread::{self, flags, known};

impl Joiner {
    pub(super) fn thread_start(&mut self, start: &View<'_, thread::ThreadStart>) -> ThreadStart {
        let key = start.known(known::KEY, start.key);
        let creator_key = start.known(known::CREATOR_KEY, start.creator_key);
        self.introduce(start.pid, key);
        self.introduce(start.creator_pid, creator_key);
        let process = self.reference(start.pid, key);
        let creator = self.actor(start.creator_pid, start.creator_tid, creator_key);
        let subsystem = start.known(known::SUBSYSTEM, start.subsystem);
        let mut thread = Thread {
            start_address: start.known(known::START_ADDRESS, Hex(start.start_address)),
            subsystem: subsystem.and_then(Subsystem::from_wire),
            ..Thread::of(start.tid)
        };
        let remote = start.known(known::REMOTE, start.flag(flags::REMOTE));
        if let Some(process) = key.map(|key| (start.pid, key)) {
            self.locate(process, &mut thread);
            // Only an exit will ask for it.
            if self.shows(Kind::ThreadExit)
                && let Some(known) = self.table.get_mut(process)
            {
                let started = Started {
                    thread: thread.clone(),
                    creator: creator.clone(),
                    remote,
                };
                known.threads.insert(start.tid, started);
            }
        }
        ThreadStart {
            process,
            thread,
            creator,
            remote,
        }
    }

    pub(super) fn thread_exit(&mut self, exit: &View<'_, thread::ThreadExit>) -> ThreadExit {
        let key = start_key(exit.key);
        self.introduce(exit.pid, key);
        let process = self.reference(exit.pid, key);
        let identity = (exit.pid, exit.key);
        let started = self.table.get_mut(identity);
        let started = started.and_then(|process| process.threads.remove(&exit.tid));
        let (mut thread, creator, remote) = match started {
            Some(started) => (started.thread, Some(started.creator), started.remote),
            None => (Thread::of(exit.tid), None, None),
        };
        // The first thread of a process starts before its image is mapped.
        if thread.start_module.is_none() {
            self.locate(identity, &mut thread);
        }
        ThreadExit {
            process,
            thread,
            creator,
            remote,
            exit_status: exit.exit_status,
        }
    }

    /// Finds the image that a thread of `process` begins in, the kernel's among them: its
    /// addresses are no process' own.
    fn locate(&self, process: Identity, thread: &mut Thread) {
        let found = thread.start_address.and_then(|Hex(address)| {
            let own = self.table.get(process);
            own.and_then(|known| known.modules.find(address))
                .or_else(|| self.kernel.find(address))
        });
        (thread.start_module, thread.start_offset) = found.unzip();
    }
}
