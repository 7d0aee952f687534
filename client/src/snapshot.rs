//! The processes that run at one time, and how they descend from each other.

use crate::table::Identity;
use crate::transport::RunningProcess;
use std::collections::{HashMap, HashSet};

/// An answer of [`crate::transport::Transport::processes`].
pub(crate) struct Snapshot {
    processes: Vec<RunningProcess>,
    by_pid: HashMap<u32, usize>,
}

impl Snapshot {
    pub(crate) fn new(processes: Vec<RunningProcess>) -> Self {
        let pids = processes.iter().map(|process| process.pid);
        let by_pid = pids.zip(0..).collect();
        Self { processes, by_pid }
    }

    /// In order of creation.
    pub(crate) fn processes(&self) -> &[RunningProcess] {
        &self.processes
    }

    /// The present bearer of a pid.
    pub(crate) fn bearer(&self, pid: u32) -> Option<&RunningProcess> {
        self.processes.get(*self.by_pid.get(&pid)?)
    }

    /// The start key of the parent of `child`, if that still can be told.
    pub(crate) fn parent_key(&self, child: &RunningProcess) -> Option<u64> {
        let bearer = self.bearer(child.parent_pid?);
        let bearer = bearer.filter(|bearer| is_parent(bearer, child));
        child.parent_key.or(bearer.map(|bearer| bearer.key))
    }

    /// Those that descend from `ancestor`, as far as the parents between still run.
    pub(crate) fn descendants(&self, ancestor: Identity) -> HashSet<Identity> {
        let mut family = HashSet::from([ancestor]);
        loop {
            let children: Vec<_> = self
                .processes
                .iter()
                .filter(|process| !family.contains(&identity(process)))
                .filter(|process| {
                    let parent = process.parent_pid.zip(self.parent_key(process));
                    parent.is_some_and(|parent| family.contains(&parent))
                })
                .map(identity)
                .collect();
            if children.is_empty() {
                family.remove(&ancestor);
                return family;
            }
            family.extend(children);
        }
    }
}

/// Whom a snapshot tells of.
pub(crate) fn identity(process: &RunningProcess) -> Identity {
    (process.pid, process.key)
}

/// Is the present bearer of the parent's pid the parent? It is if it was there when the child
/// was created: nobody else can have borne the pid since.
fn is_parent(bearer: &RunningProcess, child: &RunningProcess) -> bool {
    bearer.key != child.key
        && matches!(
            (bearer.create_time, child.create_time),
            (Some(bearer), Some(child)) if bearer <= child
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Time;

    #[test]
    fn descendants_are_followed_by_pid_and_order_of_creation() {
        let process = |pid, parent, created| RunningProcess {
            pid,
            key: created as u64,
            create_time: Some(Time(created)),
            parent_pid: Some(parent),
            ..RunningProcess::default()
        };
        let snapshot = Snapshot::new(vec![
            process(8, 4, 1),
            process(12, 8, 2),
            process(16, 12, 3),
            // Its parent bore pid 24 before the present bearer did.
            process(20, 24, 4),
            process(24, 8, 5),
        ]);
        let expected = HashSet::from([(12, 2), (16, 3), (24, 5)]);
        assert_eq!(snapshot.descendants((8, 1)), expected);
        assert!(snapshot.descendants((16, 3)).is_empty());
        assert!(
            snapshot.descendants((8, 77)).is_empty(),
            "another bearer of the pid"
        );
    }
}
