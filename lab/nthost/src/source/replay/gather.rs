//! From events to the processes that they are about, and what these do.
//!
//! Sysmon names a process by GUID. Where it does not know the process it writes zeros, and only
//! the pid is left: that is the newest process that is known to have had it, or else the next one
//! that is told of with it.

use super::error::ReplayError;
use super::event::{Mention, SysmonEvent};
use super::field::Guid;
use super::plan::{LeftOut, Plan, Process, Step};
use super::read::Place;
use super::settle::{Raw, settle};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

/// Gathers a [`Plan`] event by event.
#[derive(Debug, Default)]
pub(super) struct Planner {
    processes: Vec<Process>,
    /// The newest bearer of each GUID. A GUID names one process, but a log may have its start
    /// twice.
    by_guid: HashMap<Guid, usize>,
    /// The newest bearer of each pid.
    by_pid: HashMap<u32, usize>,
    /// Has a start in the recording, earlier or later.
    started: Vec<bool>,
    /// Where a process was told of whose pid no event has told so far.
    without_pid: BTreeMap<usize, (PathBuf, String)>,
    raw: Vec<(i64, Raw)>,
    left_out: Vec<LeftOut>,
    begin: Option<i64>,
    now: i64,
}

// Event numbers of Sysmon.
const PROCESS_CREATE: u64 = 1;
const PROCESS_TERMINATE: u64 = 5;
const IMAGE_LOAD: u64 = 7;
const CREATE_REMOTE_THREAD: u64 = 8;
const PROCESS_ACCESS: u64 = 10;

/// Idle and System are in every machine: that an event speaks of them tells of nobody new.
const LAST_SYSTEM_PID: u32 = 4;

fn is_recorded(pid: u32) -> bool {
    pid > LAST_SYSTEM_PID
}

/// Stands for a pid that is not known yet; that of Idle, which no event is about.
pub(super) const NO_PID: u32 = 0;

/// The field that an event lacks, as Sysmon names it.
type Lacks = &'static str;

impl Planner {
    /// Takes the next event of the host.
    ///
    /// # Errors
    /// When a start or an exit does not say of which process.
    pub(super) fn take(
        &mut self,
        event: &SysmonEvent<'_>,
        place: &Place<'_>,
    ) -> Result<(), ReplayError> {
        self.now = event.time().unwrap_or(self.now);
        self.begin = self.begin.or(event.time());
        let step = match event.id {
            PROCESS_CREATE | PROCESS_TERMINATE => return self.start_or_exit(event, place),
            IMAGE_LOAD => self.load(event),
            CREATE_REMOTE_THREAD => self.remote_thread(event),
            PROCESS_ACCESS => self.open(event),
            _ => {
                self.mentions(event);
                return Ok(());
            }
        };
        match step {
            Ok(step) => {
                let at = (event.id, place.text());
                self.raw.push((self.now, Raw::Act(step, at)));
            }
            Err(field) => LeftOut::count(&mut self.left_out, event.id, field, &place.text()),
        }
        Ok(())
    }

    /// Events of other kinds tell which processes there are.
    fn mentions(&mut self, event: &SysmonEvent<'_>) {
        for mention in [event.process(), event.source(), event.target()] {
            if let Some(guid) = mention.guid
                && mention.pid.is_some_and(is_recorded)
            {
                self.identify(mention, guid);
            }
        }
    }

    fn start_or_exit(
        &mut self,
        event: &SysmonEvent<'_>,
        place: &Place<'_>,
    ) -> Result<(), ReplayError> {
        let process = event.process();
        let Some(guid) = process.guid else {
            return Err(ReplayError::Incomplete {
                path: place.path.into(),
                place: place.text(),
                field: "ProcessGuid",
            });
        };
        let index = match event.id {
            PROCESS_CREATE => self.start(event, process, guid),
            _ => self.exit(process, guid),
        };
        // Collectors do drop fields. Another event about the process may have it.
        if self.processes[index].pid == NO_PID {
            let at = (place.path.into(), place.text());
            self.without_pid.entry(index).or_insert(at);
        }
        Ok(())
    }

    fn start(&mut self, event: &SysmonEvent<'_>, mut process: Mention<'_>, guid: Guid) -> usize {
        let parent = event.parent();
        let parent_index = parent
            .guid
            .filter(|_| parent.pid.is_some_and(|pid| pid != NO_PID))
            .map(|guid| self.identify(parent, guid));
        let index = match self.by_guid.get(&guid).copied() {
            // The log has the start twice.
            Some(earlier) if self.started[earlier] => {
                process.pid = process.pid.or(Some(self.processes[earlier].pid));
                self.add(process, Some(guid))
            }
            _ => self.identify(process, guid),
        };
        self.started[index] = true;
        // Other events know less, and write the path as it was asked for, in other case.
        let started = &mut self.processes[index];
        started.pid = process.pid.unwrap_or(started.pid);
        started.create_time = event.time().unwrap_or(started.create_time);
        started.image = process.image.map(Into::into).or(started.image.take());
        started.parent_pid = parent.pid;
        started.parent = parent_index;
        started.logon_id = event.logon_id();
        started.session = event.session();
        started.integrity = event.integrity();
        self.raw.push((self.now, Raw::Start(index)));
        index
    }

    fn exit(&mut self, process: Mention<'_>, guid: Guid) -> usize {
        let index = self.identify(process, guid);
        if let Some(image) = process.image
            && !self.started[index]
        {
            self.processes[index].image = Some(image.into());
        }
        self.raw.push((self.now, Raw::Exit(index)));
        index
    }

    fn load(&mut self, event: &SysmonEvent<'_>) -> Result<Step, Lacks> {
        Ok(Step::Load {
            process: self.party(event.process()).ok_or("ProcessGuid")?,
            path: event.image_loaded().map(Into::into),
        })
    }

    fn remote_thread(&mut self, event: &SysmonEvent<'_>) -> Result<Step, Lacks> {
        let tid = event.new_thread_id().ok_or("NewThreadId")?;
        Ok(Step::RemoteThread {
            source: self.party(event.source()).ok_or("SourceProcessGuid")?,
            target: self.party(event.target()).ok_or("TargetProcessGuid")?,
            tid,
            start_address: event.start_address(),
        })
    }

    fn open(&mut self, event: &SysmonEvent<'_>) -> Result<Step, Lacks> {
        let access = event.granted_access().ok_or("GrantedAccess")?;
        Ok(Step::Open {
            source: self.party(event.source()).ok_or("SourceProcessGUID")?,
            tid: event.source_thread_id(),
            target: self.party(event.target()).ok_or("TargetProcessGUID")?,
            access,
        })
    }

    /// A process that acts or is acted on, which may be System. `None` if nothing says which.
    fn party(&mut self, mention: Mention<'_>) -> Option<usize> {
        if let Some(guid) = mention.guid {
            return Some(self.identify(mention, guid));
        }
        let pid = mention.pid.filter(|pid| *pid != NO_PID)?;
        let known = self.by_pid.get(&pid).copied();
        Some(known.unwrap_or_else(|| self.add(mention, None)))
    }

    /// The process with this GUID. What is told of it here and was not known is known then.
    fn identify(&mut self, mention: Mention<'_>, guid: Guid) -> usize {
        let Some(index) = self.find(mention, guid) else {
            return self.add(mention, Some(guid));
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
        self.note_pid(index);
        index
    }

    fn find(&mut self, mention: Mention<'_>, guid: Guid) -> Option<usize> {
        if let Some(index) = self.by_guid.get(&guid) {
            return Some(*index);
        }
        // It may be the one that was spoken of by its pid.
        let index = *self.by_pid.get(&mention.pid?)?;
        let process = &mut self.processes[index];
        if process.key.is_some() {
            return None;
        }
        process.key = Some(guid.key());
        process.create_time = guid.create_time();
        self.by_guid.insert(guid, index);
        Some(index)
    }

    fn add(&mut self, mention: Mention<'_>, guid: Option<Guid>) -> usize {
        let index = self.processes.len();
        self.processes.push(Process {
            pid: mention.pid.unwrap_or(NO_PID),
            key: guid.map(Guid::key),
            create_time: guid.map_or(self.now, Guid::create_time),
            image: mention.image.map(Into::into),
            command_line: mention.command_line.map(Into::into),
            parent_pid: None,
            parent: None,
            user: mention.user.map(Into::into),
            logon_id: None,
            session: None,
            integrity: None,
        });
        self.started.push(false);
        self.raw.push((self.now, Raw::FirstMention(index)));
        if let Some(guid) = guid {
            self.by_guid.insert(guid, index);
        }
        self.note_pid(index);
        index
    }

    /// The process bears its pid from now on, unless a younger one does already.
    fn note_pid(&mut self, index: usize) {
        let process = &self.processes[index];
        let bearer = self.by_pid.entry(process.pid).or_insert(index);
        if self.processes[*bearer].create_time <= process.create_time {
            *bearer = index;
        }
    }

    /// Settles who was there before.
    ///
    /// # Errors
    /// When the pid of a process that starts or exits is nowhere to be found.
    pub(super) fn finish(mut self) -> Result<Plan, ReplayError> {
        let unknown = |(index, _): &(usize, _)| self.processes[*index].pid == NO_PID;
        if let Some((_, (path, place))) = self.without_pid.into_iter().find(unknown) {
            let field = "ProcessId";
            return Err(ReplayError::Incomplete { path, place, field });
        }
        self.raw.retain(|(_, raw)| {
            let Raw::Act(step, (event, place)) = raw else {
                return true;
            };
            let known = step.parties().all(|i| self.processes[i].pid != NO_PID);
            if !known {
                LeftOut::count(&mut self.left_out, *event, "ProcessId", place);
            }
            known
        });
        let begin = self.begin.unwrap_or(self.now);
        let (before, steps) = settle(&self.processes, &self.started, begin, self.raw);
        Ok(Plan {
            processes: self.processes,
            before,
            steps,
            begin,
            left_out: self.left_out,
        })
    }
}
