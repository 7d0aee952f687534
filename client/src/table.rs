//! What is known of processes, by (pid, start key).

use crate::event::{Thread, ThreadRef};
use crate::modules::Modules;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use std::sync::Arc;

/// Processes that ended, or that were asked about, and are still known: children and handles name
/// them for a while.
const REMEMBERED: usize = 4096;

/// Pid and start key: never borne twice.
pub(crate) type Identity = (u32, u64);

/// The processes that run, and some of those that do not. Hashed the fast way: Windows chooses the
/// numbers, so nobody can have them collide.
#[derive(Debug, Default)]
pub(crate) struct Table {
    processes: FxHashMap<Identity, Known>,
    /// The key of each pid's present bearer.
    live: FxHashMap<u32, u64>,
    /// Those not known to run, the oldest first.
    remembered: VecDeque<Identity>,
}

/// What is known of a process.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// What it is called; `None` if nobody could tell.
    pub(crate) image: Option<Arc<str>>,
    /// The images that it was seen to load.
    pub(crate) modules: Modules,
    /// The threads that were seen to start, by tid.
    pub(crate) threads: FxHashMap<u32, Started>,
}

/// What the start of a thread told.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) thread: Thread,
    pub(crate) creator: ThreadRef,
    pub(crate) remote: Option<bool>,
}

impl Table {
    /// A process began, or is found running. Whoever bore its pid before has ended, announced or
    /// not.
    pub(crate) fn start(&mut self, (pid, key): Identity, image: Option<Arc<str>>) {
        self.processes.entry((pid, key)).or_default().image = image;
        if let Some(before) = self.live.insert(pid, key)
            && before != key
        {
            self.remember((pid, before));
        }
    }

    /// A process ended.
    pub(crate) fn end(&mut self, (pid, key): Identity) {
        if self.live.get(&pid) == Some(&key) {
            self.live.remove(&pid);
            self.remember((pid, key));
        }
    }

    /// Windows was asked about a process of which nothing was known.
    pub(crate) fn answer(&mut self, process: Identity, image: Option<Arc<str>>) {
        self.processes.entry(process).or_default().image = image;
        self.remember(process);
    }

    /// What is known of a process; `None` if nobody has asked yet.
    pub(crate) fn get(&self, process: Identity) -> Option<&Known> {
        self.processes.get(&process)
    }

    /// As [`Self::get`], to learn more.
    pub(crate) fn get_mut(&mut self, process: Identity) -> Option<&mut Known> {
        self.processes.get_mut(&process)
    }

    /// Nothing is known of any thread any more.
    pub(crate) fn forget_threads(&mut self) {
        for known in self.processes.values_mut() {
            known.threads = FxHashMap::default();
        }
    }

    /// Keeps the name of a process that does not run, for a while.
    fn remember(&mut self, process: Identity) {
        if let Some(known) = self.processes.get_mut(&process) {
            known.modules = Modules::default();
            known.threads = FxHashMap::default();
        }
        self.remembered.push_back(process);
        if self.remembered.len() > REMEMBERED
            && let Some(oldest) = self.remembered.pop_front()
            && self.live.get(&oldest.0) != Some(&oldest.1)
        {
            self.processes.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(table: &Table, process: Identity) -> Option<&str> {
        table.get(process)?.image.as_deref()
    }

    #[test]
    fn a_reused_pid_is_two_processes() {
        let mut table = Table::default();
        table.start((8, 1), Some("old.exe".into()));
        table.start((8, 2), Some("new.exe".into()));
        assert_eq!(image(&table, (8, 1)), Some("old.exe"));
        assert_eq!(image(&table, (8, 2)), Some("new.exe"));
        assert_eq!(image(&table, (8, 3)), None);
    }

    #[test]
    fn processes_that_ended_are_known_for_a_while_and_then_cost_nothing() {
        let mut table = Table::default();
        table.start((4, 1), Some("System".into()));
        for key in 2..100_000 {
            table.start((8, key), Some("short.exe".into()));
            if key % 2 == 0 {
                table.end((8, key));
                table.end((8, key));
            }
        }
        assert!(table.processes.len() <= REMEMBERED + 2);
        assert_eq!(image(&table, (8, 99_990)), Some("short.exe"));
        assert_eq!(image(&table, (4, 1)), Some("System"));
    }

    #[test]
    fn answers_are_remembered_up_to_a_bound_and_give_way_to_the_start() {
        let mut table = Table::default();
        table.answer((8, 1), None);
        table.start((8, 1), Some("late.exe".into()));
        for key in 2..10_000 {
            table.answer((12, key), None);
        }
        assert!(table.processes.len() <= REMEMBERED + 1);
        assert_eq!(image(&table, (8, 1)), Some("late.exe"));
        assert!(table.get((12, 9_999)).is_some(), "it was asked about");
    }
}
