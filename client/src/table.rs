//! What processes are called, by (pid, start key).

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Processes that ended and are still known: children and handles name them for a while.
const REMEMBERED: usize = 4096;

/// Pid and start key: never borne twice.
pub(crate) type Identity = (u32, u64);

/// The images of the processes that run, and of those that ended lately.
#[derive(Debug, Default)]
pub(crate) struct Table {
    images: HashMap<Identity, Option<Arc<str>>>,
    /// The key of each pid's present bearer.
    live: HashMap<u32, u64>,
    /// Those that ended, the oldest first.
    ended: VecDeque<Identity>,
}

impl Table {
    /// A process began. Whoever bore its pid before has ended, announced or not.
    pub(crate) fn start(&mut self, (pid, key): Identity, image: Option<Arc<str>>) {
        self.images.insert((pid, key), image);
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

    /// What a process is called, if that is known.
    pub(crate) fn image(&self, process: Identity) -> Option<Arc<str>> {
        self.images.get(&process).cloned().flatten()
    }

    fn remember(&mut self, process: Identity) {
        self.ended.push_back(process);
        if self.ended.len() > REMEMBERED
            && let Some(oldest) = self.ended.pop_front()
        {
            self.images.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reused_pid_is_two_processes() {
        let mut table = Table::default();
        table.start((8, 1), Some("old.exe".into()));
        table.start((8, 2), Some("new.exe".into()));
        assert_eq!(table.image((8, 1)).as_deref(), Some("old.exe"));
        assert_eq!(table.image((8, 2)).as_deref(), Some("new.exe"));
        assert_eq!(table.image((8, 3)), None);
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
        assert!(table.images.len() <= REMEMBERED + 2);
        assert_eq!(table.image((8, 99_990)).as_deref(), Some("short.exe"));
        assert_eq!(table.image((4, 1)).as_deref(), Some("System"));
    }
}
