//! From the driver's records to events: names joined, paths turned.

use crate::event::{
    Body, Counts, Creator, Event, ExitedProcess, Hex, Integrity, Lost, Process, ProcessExit,
    ProcessRef, ProcessStart, Protection, SessionInfo, Stage, Subsystem,
};
use crate::names::Names;
use crate::table::{Identity, Table};
use crate::time::Time;
use crate::transport::RunningProcess;
use ntwatch_protocol::process::{self, flags, known, subsystem};
use ntwatch_protocol::reader::{Record, View};
use ntwatch_protocol::wide::Wide;
use ntwatch_protocol::{lost, record::RecordHeader};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

/// Joins one stream.
pub(crate) struct Joiner {
    names: Names,
    table: Table,
    /// Processes that began between the first snapshot and the second. The start of each may be
    /// on its way as an event, or may have been before the session saw any.
    newcomers: Vec<ProcessStart>,
    /// The client's own sequence numbers.
    next_seq: u64,
    /// When the stream began.
    began: Time,
    /// Events that wait to be taken.
    out: VecDeque<Event>,
}

impl Joiner {
    pub(crate) fn new(names: Names, began: Time) -> Self {
        Self {
            names,
            table: Table::default(),
            newcomers: Vec::new(),
            next_seq: 0,
            began,
            out: VecDeque::new(),
        }
    }

    pub(crate) fn next(&mut self) -> Option<Event> {
        self.out.pop_front()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// Says who speaks.
    pub(crate) fn session(&mut self, session: SessionInfo) {
        self.say(Body::Session(session));
    }

    /// Learns what runs, from a snapshot `before` the session saw events and one `after`. What
    /// ran before is told of at once, if it `passes`, even if it has ended since: the exit was
    /// seen or came too early to be.
    pub(crate) fn snapshots(
        &mut self,
        before: Vec<RunningProcess>,
        after: Vec<RunningProcess>,
        passes: impl Fn(&RunningProcess) -> bool,
    ) {
        let known: HashSet<Identity> = before.iter().map(identity).collect();
        let remaining: HashSet<Identity> = after.iter().map(identity).collect();
        for (start, passes) in self.learn(&before, &passes) {
            if passes {
                self.say(Body::ProcessRunning(Box::new(start)));
            }
        }
        for gone in known.difference(&remaining) {
            self.table.end(*gone);
        }
        let learnt = self.learn(&after, &passes);
        self.newcomers = learnt
            .into_iter()
            .filter(|(start, passes)| *passes && !known.contains(&whose(start)))
            .map(|(start, _)| start)
            .collect();
    }

    /// Puts a snapshot's processes in the table, then joins them with their parents.
    fn learn(
        &mut self,
        snapshot: &[RunningProcess],
        passes: impl Fn(&RunningProcess) -> bool,
    ) -> Vec<(ProcessStart, bool)> {
        let by_pid: HashMap<u32, &RunningProcess> = snapshot
            .iter()
            .map(|process| (process.pid, process))
            .collect();
        let processes: Vec<Process> = snapshot
            .iter()
            .map(|running| {
                let process = self.running(running);
                self.table.start(identity(running), process.image.clone());
                process
            })
            .collect();
        snapshot
            .iter()
            .zip(processes)
            .map(|(running, process)| {
                let parent = running.parent_pid.map(|pid| {
                    let bearer = by_pid.get(&pid).filter(|bearer| is_parent(bearer, running));
                    let key = running.parent_key.or(bearer.map(|bearer| bearer.key));
                    self.reference(pid, key)
                });
                let start = ProcessStart {
                    process,
                    parent,
                    creator: None,
                };
                (start, passes(running))
            })
            .collect()
    }

    /// The reader has all there is: a start that has not come by now will not come.
    pub(crate) fn caught_up(&mut self) {
        for start in std::mem::take(&mut self.newcomers) {
            self.say(Body::ProcessRunning(Box::new(start)));
        }
    }

    /// Are there processes left of which [`Self::caught_up`] will tell?
    pub(crate) fn has_newcomers(&self) -> bool {
        !self.newcomers.is_empty()
    }

    /// Joins one record. A kind that this version does not know is left out.
    pub(crate) fn record(&mut self, record: &Record<'_>) {
        let body = match record {
            // Shown even for a process that was told of as running: each event comes out once.
            Record::ProcessStart(start) => {
                self.newcomers
                    .retain(|newcomer| whose(newcomer) != (start.pid, start.key));
                Body::ProcessStart(Box::new(self.process_start(start)))
            }
            Record::ProcessExit(exit) => Body::ProcessExit(self.process_exit(exit)),
            Record::Lost(lost) => Body::Lost(lost_events(lost)),
            _ => return,
        };
        let RecordHeader { seq, time, .. } = *record.header();
        self.out.push_back(Event {
            seq,
            time: Time(time),
            body,
        });
    }

    fn process_start(&mut self, start: &View<'_, process::ProcessStart>) -> ProcessStart {
        let parent_key = start.known(known::PARENT_KEY, start.parent_key);
        let creator_key = start.known(known::CREATOR_KEY, start.creator_key);
        for (pid, key) in [
            (start.parent_pid, parent_key),
            (start.creator_pid, creator_key),
        ] {
            self.introduce(pid, key);
        }
        let of_subsystem = start.flag(flags::SUBSYSTEM_PROCESS);
        let (name, path) = (start.image_name(), start.image_path());
        // The name of a WSL process is its Linux path; any other's may be short or a link.
        let image = if of_subsystem {
            name.or(path)
        } else {
            path.or(name)
        };
        let image = image.and_then(|image| self.names.path(&text(image)));
        self.table.start((start.pid, start.key), image.clone());
        let subsystem = start
            .known(known::SUBSYSTEM, start.subsystem)
            .or((!of_subsystem).then_some(subsystem::WIN32));
        ProcessStart {
            process: Process {
                pid: start.pid,
                key: Hex(start.key),
                create_time: Time::known(start.create_time),
                image,
                image_exact: Some(start.flag(flags::IMAGE_EXACT)),
                command_line: start
                    .command_line()
                    .map(text)
                    .filter(|line| !line.is_empty()),
                session: start.known(known::SESSION_ID, start.session_id),
                user: start.user().and_then(|sid| self.names.user(sid)),
                logon_id: start.known(known::LOGON_ID, Hex(start.logon_id)),
                integrity: start.known(known::INTEGRITY, Integrity(start.integrity)),
                elevated: start.known(known::ELEVATED, start.flag(flags::ELEVATED)),
                // One byte on the wire's four.
                protection: start.known(known::PROTECTION, Protection(start.protection as u8)),
                wow64: start.known(known::WOW64, start.flag(flags::WOW64)),
                subsystem: subsystem.and_then(Subsystem::from_wire),
            },
            parent: Some(self.reference(start.parent_pid, parent_key)),
            creator: Some(Creator {
                pid: start.creator_pid,
                tid: start.creator_tid,
                key: creator_key.map(Hex),
                image: self.image(start.creator_pid, creator_key),
            }),
        }
    }

    fn process_exit(&mut self, exit: &View<'_, process::ProcessExit>) -> ProcessExit {
        self.introduce(exit.pid, Some(exit.key));
        let process = (exit.pid, exit.key);
        let own = exit.image().and_then(|image| self.names.path(&text(image)));
        let image = self.table.image(process).or(own);
        self.table.end(process);
        ProcessExit {
            process: ExitedProcess {
                pid: exit.pid,
                key: Hex(exit.key),
                create_time: Time::known(exit.create_time),
                image,
            },
            exit_status: exit.exit_status,
        }
    }

    /// Tells of a newcomer before the first event that refers to it.
    fn introduce(&mut self, pid: u32, key: Option<u64>) {
        let newcomer = |start: &ProcessStart| Some(whose(start)) == key.map(|key| (pid, key));
        if let Some(index) = self.newcomers.iter().position(newcomer) {
            let start = self.newcomers.remove(index);
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
        }
    }

    fn reference(&self, pid: u32, key: Option<u64>) -> ProcessRef {
        ProcessRef {
            pid,
            key: key.map(Hex),
            image: self.image(pid, key),
        }
    }

    /// By key alone: the pid may have another bearer by now.
    fn image(&self, pid: u32, key: Option<u64>) -> Option<Arc<str>> {
        self.table.image((pid, key?))
    }

    /// Adds a line of the client's own.
    fn say(&mut self, body: Body) {
        self.out.push_back(Event {
            seq: self.next_seq,
            time: self.began,
            body,
        });
        self.next_seq += 1;
    }
}

fn identity(process: &RunningProcess) -> Identity {
    (process.pid, process.key)
}

fn whose(start: &ProcessStart) -> Identity {
    (start.process.pid, start.process.key.0)
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

/// The text, with U+FFFD for a surrogate without partner. Most text takes a byte for each unit.
fn text(wide: Wide<'_>) -> String {
    let mut text = String::with_capacity(wide.len());
    text.extend(wide.chars());
    text
}

fn lost_events(lost: &lost::Lost) -> Lost {
    Lost {
        stage: match lost.stage {
            lost::stage::CAPTURE => Stage::Capture,
            _ => Stage::Session,
        },
        counts: Counts(lost.counts),
        first_seq: lost.first_seq,
        last_seq: lost.last_seq,
    }
}
