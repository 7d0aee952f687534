//! From events to what a machine has to do: which processes were there before, who starts, who
//! ends, in file order.

use super::error::ReplayError;
use super::event::{Mention, SysmonEvent};
use super::field::Guid;
use super::read::Place;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

/// A process of the recording. `None` is what the recording does not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// The start key that the recording machine gave.
    pub key: u64,
    /// 100 ns units since 1601, UTC.
    pub create_time: i64,
    /// A DOS path, or a bare name such as `Registry`.
    pub image: Option<String>,
    /// The command line.
    pub command_line: Option<String>,
    /// The parent's pid.
    pub parent_pid: Option<u32>,
    /// The parent, an index into [`Plan::processes`].
    pub parent: Option<usize>,
    /// `DOMAIN\name`.
    pub user: Option<String>,
    /// The token's logon id.
    pub logon_id: Option<u64>,
    /// Terminal Services session.
    pub session: Option<u32>,
    /// The integrity level's RID.
    pub integrity: Option<u32>,
}

/// One thing to do. Numbers are indices into [`Plan::processes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The process is created, and everybody is told (event 1).
    Start(usize),
    /// The process ends, and everybody is told (event 5).
    Exit(usize),
    /// The recording speaks of a process that cannot have been there before, because another
    /// had its pid, and whose start it does not have. It is there from now on; nobody is told.
    Appear(usize),
}

/// What a recording of one host asks of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// All processes, in order of first appearance.
    pub processes: Vec<Process>,
    /// Those that exist before the recording begins.
    pub before: Vec<usize>,
    /// What happens, and at what time, as NT time. File order; times may step back.
    pub steps: Vec<(i64, Step)>,
    /// The time of the first event.
    pub begin: i64,
}

/// Gathers a [`Plan`] event by event.
#[derive(Debug, Default)]
pub(super) struct Planner {
    processes: Vec<Process>,
    /// The newest bearer of each GUID. A GUID names one process, but a log may have its start
    /// twice.
    by_guid: HashMap<Guid, usize>,
    /// Has a start in the recording, earlier or later.
    started: Vec<bool>,
    /// Where a process was told of whose pid no event has told so far.
    without_pid: BTreeMap<usize, (PathBuf, String)>,
    raw: Vec<(i64, Raw)>,
    begin: Option<i64>,
    now: i64,
}

#[derive(Clone, Copy, Debug)]
enum Raw {
    Start(usize),
    Exit(usize),
    FirstMention(usize),
}

/// Event numbers of Sysmon.
const PROCESS_CREATE: u64 = 1;
const PROCESS_TERMINATE: u64 = 5;

/// Idle and System are in every machine without being recorded.
const LAST_SYSTEM_PID: u32 = 4;

fn is_recorded(pid: u32) -> bool {
    pid > LAST_SYSTEM_PID
}

/// Stands for a pid that is not known yet; that of Idle, which no event is about.
const NO_PID: u32 = 0;

impl Planner {
    /// Takes the next event of the host.
    pub(super) fn take(
        &mut self,
        event: &SysmonEvent<'_>,
        place: &Place<'_>,
    ) -> Result<(), ReplayError> {
        self.now = event.time().unwrap_or(self.now);
        self.begin = self.begin.or(event.time());
        match event.id {
            PROCESS_CREATE | PROCESS_TERMINATE => {
                let Some(process) = event.process() else {
                    return Err(ReplayError::Incomplete {
                        path: place.path.into(),
                        place: place.text(),
                        field: "ProcessGuid",
                    });
                };
                let index = match event.id {
                    PROCESS_CREATE => self.start(event, process),
                    _ => self.exit(process),
                };
                // Collectors do drop fields. Another event about the process may have it.
                if self.processes[index].pid == NO_PID {
                    let at = (place.path.into(), place.text());
                    self.without_pid.entry(index).or_insert(at);
                }
            }
            _ => {
                for mention in event.mentions().filter(|m| m.pid.is_some_and(is_recorded)) {
                    self.mention(mention);
                }
            }
        }
        Ok(())
    }

    fn start(&mut self, event: &SysmonEvent<'_>, mut process: Mention<'_>) -> usize {
        let parent = event.parent().filter(|p| p.pid.is_some_and(is_recorded));
        let parent = parent.map(|parent| self.mention(parent));
        if let Some(earlier) = self.by_guid.get(&process.guid) {
            self.started[*earlier] = true;
            process.pid = process.pid.or(Some(self.processes[*earlier].pid));
        }
        let index = self.add(process, true);
        let time = self.now;
        let process = &mut self.processes[index];
        process.create_time = event.time().unwrap_or(process.create_time);
        process.parent_pid = event.parent_pid();
        process.parent = parent;
        process.logon_id = event.logon_id();
        process.session = event.session();
        process.integrity = event.integrity();
        self.raw.push((time, Raw::Start(index)));
        index
    }

    fn exit(&mut self, process: Mention<'_>) -> usize {
        let index = self.mention(process);
        if let Some(image) = process.image
            && !self.started[index]
        {
            // Other events write the path as it was asked for, in other case.
            self.processes[index].image = Some(image.into());
        }
        self.raw.push((self.now, Raw::Exit(index)));
        index
    }

    fn mention(&mut self, mention: Mention<'_>) -> usize {
        let Some(index) = self.by_guid.get(&mention.guid).copied() else {
            let index = self.add(mention, false);
            self.raw.push((self.now, Raw::FirstMention(index)));
            return index;
        };
        let process = &mut self.processes[index];
        if process.pid == NO_PID {
            process.pid = mention.pid.unwrap_or(NO_PID);
        }
        let fill = |fact: &mut Option<String>, told: Option<&str>| {
            if fact.is_none() {
                *fact = told.map(Into::into);
            }
        };
        fill(&mut process.image, mention.image);
        fill(&mut process.command_line, mention.command_line);
        fill(&mut process.user, mention.user);
        index
    }

    fn add(&mut self, mention: Mention<'_>, started: bool) -> usize {
        let index = self.processes.len();
        self.processes.push(Process {
            pid: mention.pid.unwrap_or(NO_PID),
            key: mention.guid.key(),
            create_time: mention.guid.create_time(),
            image: mention.image.map(Into::into),
            command_line: mention.command_line.map(Into::into),
            parent_pid: None,
            parent: None,
            user: mention.user.map(Into::into),
            logon_id: None,
            session: None,
            integrity: None,
        });
        self.started.push(started);
        self.by_guid.insert(mention.guid, index);
        index
    }

    /// Settles who was there before.
    ///
    /// # Errors
    /// When the pid of a process that starts or exits is nowhere to be found.
    pub(super) fn finish(self) -> Result<Plan, ReplayError> {
        let unknown = |(index, _): &(usize, _)| self.processes[*index].pid == NO_PID;
        if let Some((_, (path, place))) = self.without_pid.into_iter().find(unknown) {
            let field = "ProcessId";
            return Err(ReplayError::Incomplete { path, place, field });
        }
        let begin = self.begin.unwrap_or(self.now);
        let mut stage = Stage {
            processes: &self.processes,
            begin,
            taken: HashMap::new(),
            there: vec![false; self.processes.len()],
            before: Vec::new(),
            steps: Vec::new(),
        };
        for (time, raw) in self.raw {
            match raw {
                // Spoken of before its start: a handle can be opened before all are told.
                Raw::FirstMention(index) if self.started[index] => {}
                Raw::FirstMention(index) => stage.settle(time, index),
                Raw::Start(index) => {
                    stage.taken.insert(self.processes[index].pid, false);
                    stage.there[index] = true;
                    stage.steps.push((time, Step::Start(index)));
                }
                Raw::Exit(index) => {
                    if !stage.there[index] {
                        stage.settle(time, index);
                    }
                    stage.there[index] = false;
                    stage.steps.push((time, Step::Exit(index)));
                }
            }
        }
        let (before, steps) = (stage.before, stage.steps);
        Ok(Plan {
            processes: self.processes,
            before,
            steps,
            begin,
        })
    }
}

/// The machine as far as the steps have come.
struct Stage<'a> {
    processes: &'a [Process],
    begin: i64,
    /// Pids that were borne so far, and whether by a process that was there before.
    taken: HashMap<u32, bool>,
    there: Vec<bool>,
    before: Vec<usize>,
    steps: Vec<(i64, Step)>,
}

impl Stage<'_> {
    /// Finds a process without a start its place: before the recording if its pid was free then.
    fn settle(&mut self, time: i64, index: usize) {
        let process = &self.processes[index];
        let free = match self.taken.get(&process.pid) {
            None => true,
            Some(before) => !before && process.create_time < self.begin,
        };
        if free {
            self.taken.insert(process.pid, true);
            self.before.push(index);
        } else {
            self.steps.push((time, Step::Appear(index)));
        }
        self.there[index] = true;
    }
}
