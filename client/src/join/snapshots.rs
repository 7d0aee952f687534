//! The processes that ran when the stream began.

use super::Joiner;
use crate::event::{Body, Hex, Integrity, Process, ProcessStart, Protection, Subsystem};
use crate::snapshot::{Snapshot, identity};
use crate::table::Identity;
use crate::transport::RunningProcess;
use std::collections::HashSet;

/// Processes that began between the first snapshot and the second. The start of each may be on its
/// way as an event, or may have been before the session saw any.
#[derive(Default)]
pub(super) struct Newcomers(Vec<ProcessStart>);

impl Newcomers {
    /// Its start came.
    pub(super) fn forget(&mut self, process: Identity) {
        self.0.retain(|newcomer| whose(newcomer) != process);
    }

    fn take(&mut self, process: Identity) -> Option<ProcessStart> {
        let at = self.0.iter().position(|start| whose(start) == process)?;
        Some(self.0.remove(at))
    }
}

impl Joiner {
    /// Learns what runs, from a snapshot `before` the session saw events and one `after`. What
    /// ran before is told of at once, if it `passes`, even if it has ended since: the exit was
    /// seen or came too early to be.
    pub(crate) fn snapshots(
        &mut self,
        before: &Snapshot,
        after: &Snapshot,
        passes: impl Fn(&RunningProcess) -> bool,
    ) {
        let identities = |snapshot: &Snapshot| -> HashSet<Identity> {
            snapshot.processes().iter().map(identity).collect()
        };
        let (known, remaining) = (identities(before), identities(after));
        for (start, passes) in self.learn(before, &passes) {
            if passes {
                self.say(Body::ProcessRunning(Box::new(start)));
            }
        }
        for gone in known.difference(&remaining) {
            self.table.end(*gone);
        }
        let learnt = self.learn(after, &passes);
        self.newcomers.0 = learnt
            .into_iter()
            .filter(|(start, passes)| *passes && !known.contains(&whose(start)))
            .map(|(start, _)| start)
            .collect();
    }

    /// Puts a snapshot's processes in the table, then joins them with their parents.
    fn learn(
        &mut self,
        snapshot: &Snapshot,
        passes: impl Fn(&RunningProcess) -> bool,
    ) -> Vec<(ProcessStart, bool)> {
        let processes: Vec<Process> = snapshot
            .processes()
            .iter()
            .map(|running| {
                let process = self.running(running);
                self.table.start(identity(running), process.image.clone());
                process
            })
            .collect();
        snapshot
            .processes()
            .iter()
            .zip(processes)
            .map(|(running, process)| {
                let parent = running
                    .parent_pid
                    .map(|pid| self.reference(pid, snapshot.parent_key(running)));
                let start = ProcessStart {
                    process,
                    parent,
                    creator: None,
                    creation_status: None,
                };
                (start, passes(running))
            })
            .collect()
    }

    /// The reader has all there is: a start that has not come by now will not come.
    pub(crate) fn caught_up(&mut self) {
        for start in std::mem::take(&mut self.newcomers).0 {
            self.say(Body::ProcessRunning(Box::new(start)));
        }
    }

    /// Are there processes left of which [`Self::caught_up`] will tell?
    pub(crate) fn has_newcomers(&self) -> bool {
        !self.newcomers.0.is_empty()
    }

    /// Tells of a newcomer before the first event that refers to it.
    pub(super) fn introduce(&mut self, pid: u32, key: Option<u64>) {
        let newcomer = key.and_then(|key| self.newcomers.take((pid, key)));
        if let Some(start) = newcomer {
            self.say(Body::ProcessRunning(Box::new(start)));
        }
    }

    /// A process of a snapshot.
    fn running(&mut self, running: &RunningProcess) -> Process {
        let image = running
            .image
            .as_deref()
            .and_then(|image| self.names.path(image));
        let command_line = running.command_line.clone().filter(|text| !text.is_empty());
        Process {
            pid: running.pid,
            key: Hex(running.key),
            create_time: running.create_time,
            image,
            image_exact: None,
            command_line,
            session: running.session_id,
            user: running.user.as_deref().and_then(|sid| self.names.user(sid)),
            logon_id: running.logon_id.map(Hex),
            integrity: running.integrity.map(Integrity),
            elevated: running.elevated,
            protection: running.protection.map(Protection),
            wow64: running.wow64,
            subsystem: running.subsystem.and_then(Subsystem::from_wire),
            sha256: None,
        }
    }
}

fn whose(start: &ProcessStart) -> Identity {
    (start.process.pid, start.process.key.0)
}
