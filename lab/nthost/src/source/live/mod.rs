//! Linux's own processes and threads, shown as if they were those of a Windows machine: as
//! Windows' own, or as WSL's ([`Guise`]).
//!
//! - Windows starts a program in a new process, Linux copies a process and then runs a program
//!   in it. A copy is told of when it runs its program, or when it has lived for a while without,
//!   or when it ends. A process that runs another program later is an exit and a start.
//! - The first thread of a process bears its pid, starts and exits with it. Of other threads Linux
//!   says that they start, but not by which thread; some thread of their process did it.
//! - Linux has no notice of images that are mapped, and none of processes that are opened: there
//!   are no such events.
//! - What Linux does not have (integrity, elevation, sessions) stays unknown, and so does what
//!   could not be read because the process was gone already.

mod connector;
mod guise;
mod procfs;

pub use guise::Guise;

use crate::Kernel;
use crate::ob::ObjectRef;
use crate::ps::{NewProcess, NewThread, Process, Thread};
use crate::source::{Host, SECOND, Source, Stage};
use connector::{Connector, Event, Received};
use procfs::Facts;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{io, thread};

/// How long a copy may take to run its program.
const PATIENCE: Duration = Duration::from_millis(30);
/// How long to wait for events, and how often to look at /proc where there are none.
const PERIOD: Duration = Duration::from_millis(10);
/// Linux' pid 4 is a thread of the kernel; a machine has its System process there.
const LAST_SYSTEM_PID: u32 = 4;

/// The machine that this program runs on.
pub fn this_host() -> Host {
    Host {
        name: procfs::host_name(),
        boot_time: procfs::boot_time(),
    }
}

/// This machine's processes.
pub struct Live {
    events: Result<Connector, io::Error>,
    guise: Guise,
    host: Host,
    /// Those that run.
    made: HashMap<u32, ObjectRef<Process>>,
    /// Copies that have not run a program yet.
    copies: BTreeMap<u32, Copy>,
    starts: u64,
    threads: u64,
    unread: u64,
    overruns: u64,
    /// Events were dropped, and /proc has not been read since.
    missed: bool,
    guessed_exits: u64,
    /// Processes whose creating thread Linux did not tell.
    without_creator: u64,
}

#[derive(Clone, Copy, Debug)]
struct Copy {
    by: Creator,
    since: Instant,
}

/// Who copied a process.
#[derive(Clone, Copy, Debug)]
struct Creator {
    pid: u32,
    /// The thread, if Linux told.
    tid: Option<u32>,
}

/// What made a process known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// It runs a program of its own now.
    RunsProgram,
    /// It was copied, and nothing has happened since, or its end.
    Copied,
}

impl Live {
    /// Begins to listen. Where Linux does not permit that, /proc will be polled.
    pub fn new(guise: Guise) -> Live {
        Live {
            events: Connector::open(),
            guise,
            host: this_host(),
            made: HashMap::new(),
            copies: BTreeMap::new(),
            starts: 0,
            threads: 0,
            unread: 0,
            overruns: 0,
            missed: false,
            guessed_exits: 0,
            without_creator: 0,
        }
    }

    /// Why /proc is polled, if it is: very short-lived processes are missed then, and threads but
    /// for the first of each process.
    pub fn polls_because(&self) -> Option<String> {
        self.events.as_ref().err().map(ToString::to_string)
    }

    fn new_process(
        &self,
        kernel: &Kernel,
        pid: u32,
        parent: Option<u32>,
        facts: &Facts,
    ) -> NewProcess {
        let ids = (pid, parent);
        self.guise.new_process(kernel, &self.host.name, ids, facts)
    }

    fn add(&mut self, kernel: &Kernel, pid: u32, facts: &Facts) {
        let ticks = i64::try_from(facts.began.unwrap_or(0)).unwrap_or(0);
        let new = NewProcess {
            create_time: Some(self.host.boot_time + ticks * (SECOND / clock_ticks())),
            ..self.new_process(kernel, pid, facts.parent, facts)
        };
        let process = kernel.add_process(new);
        for tid in procfs::tids(pid) {
            kernel.add_thread(&process, &with_id(tid));
        }
        self.made.insert(pid, process);
    }

    fn start(&mut self, kernel: &Arc<Kernel>, pid: u32, by: Option<Creator>, told_by: Told) {
        let facts = Facts::read(pid);
        if pid <= LAST_SYSTEM_PID || facts.kernel_thread {
            return;
        }
        let by = by.or(facts.parent.map(Creator::some_thread_of));
        let mut new = self.new_process(kernel, pid, by.map(|by| by.pid), &facts);
        let parent = by.and_then(|by| self.made.get(&by.pid));
        self.starts += 1;
        match (told_by, parent) {
            // It never ran a program of its own: it is what its parent is.
            (Told::Copied, Some(parent)) if facts.incomplete() => {
                let text =
                    |units: &Option<Vec<u16>>| units.as_deref().map(String::from_utf16_lossy);
                new.image_name = text(&parent.image_name);
                new.image_path = text(&parent.image_path);
                new.command_line = text(&parent.command_line);
                new.token.user = parent.token.user.clone();
            }
            _ => self.unread += u64::from(facts.incomplete()),
        }
        let thread = if let (Some(parent), Some(tid)) = (parent, by.and_then(|by| by.tid)) {
            let thread = thread_of(kernel, parent, tid);
            thread.unwrap_or_else(|| kernel.ps.make_thread(parent, &with_id(tid)))
        } else {
            self.without_creator += 1;
            kernel.ps.create_thread(parent.unwrap_or(&kernel.ps.system))
        };
        kernel.enter_thread(&thread, || {
            if let Ok(process) = kernel.start_process(&thread.process, new) {
                kernel.start_thread(&process, with_id(pid));
                self.made.insert(pid, process);
            }
        });
    }

    fn exit(&mut self, kernel: &Arc<Kernel>, pid: u32, status: u32) {
        if let Some(process) = self.made.remove(&pid) {
            kernel.exit_process(&process, status as i32);
        }
    }

    fn start_thread(&mut self, kernel: &Arc<Kernel>, pid: u32, tid: u32) {
        if let Some(process) = self.made.get(&pid)
            && thread_of(kernel, process, tid).is_none()
        {
            kernel.enter(process, || kernel.start_thread(process, with_id(tid)));
            self.threads += 1;
        }
    }

    fn exit_thread(&mut self, kernel: &Arc<Kernel>, pid: u32, tid: u32, status: u32) {
        let process = self.made.get(&pid);
        if let Some(thread) = process.and_then(|process| thread_of(kernel, process, tid)) {
            kernel.exit_thread(&thread, status as i32);
        }
    }

    fn act(&mut self, kernel: &Arc<Kernel>, event: Event) {
        match event {
            Event::Fork { parent, tid, child } => {
                self.settle(kernel, parent, Told::Copied);
                let (pid, tid) = (parent, Some(tid));
                self.copies.insert(child, Copy::now(Creator { pid, tid }));
            }
            Event::Exec { pid } => {
                if !self.settle(kernel, pid, Told::RunsProgram) {
                    let parent = self.made.get(&pid).and_then(|process| process.parent);
                    self.exit(kernel, pid, 0);
                    let by = parent.map(|parent| Creator::some_thread_of(parent.id));
                    self.start(kernel, pid, by, Told::RunsProgram);
                }
            }
            Event::Exit { pid, status } => {
                self.settle(kernel, pid, Told::Copied);
                self.exit(kernel, pid, windows_status(status));
            }
            Event::ThreadStart { pid, tid } => {
                self.settle(kernel, pid, Told::Copied);
                self.start_thread(kernel, pid, tid);
            }
            Event::ThreadExit { pid, tid, status } => {
                self.exit_thread(kernel, pid, tid, windows_status(status));
            }
        }
    }

    /// Waits up to `timeout`. A connector that fails is not asked again.
    fn receive(&mut self, timeout: Duration) -> Received {
        let received = match &self.events {
            Ok(connector) => connector.receive(timeout),
            Err(_) => {
                thread::sleep(timeout);
                Ok(Received::default())
            }
        };
        let received = received.unwrap_or_else(|e| {
            self.events = Err(e);
            Received::default()
        });
        self.overruns += u64::from(received.overrun);
        self.missed |= received.overrun;
        received
    }

    /// Takes what happened while /proc was read. What was read of a process then holds already
    /// what its earlier events say.
    fn catch_up(&mut self, kernel: &Arc<Kernel>) {
        for event in self.receive(Duration::ZERO).events {
            match event {
                Event::Fork { child: pid, .. } | Event::Exec { pid }
                    if self.made.contains_key(&pid) => {}
                _ => self.act(kernel, event),
            }
        }
    }

    /// Acts on what was received, and reads /proc for what was not. That waits for the last queued
    /// event: all of them are older than what /proc says.
    fn take(&mut self, kernel: &Arc<Kernel>, received: Received) {
        for event in received.events {
            self.act(kernel, event);
        }
        if self.events.is_err() || self.missed && !received.more {
            self.missed = false;
            self.rescan(kernel);
            self.catch_up(kernel);
        }
    }

    /// Tells of a copy, if `pid` is one.
    fn settle(&mut self, kernel: &Arc<Kernel>, pid: u32, told_by: Told) -> bool {
        let Some(copy) = self.copies.remove(&pid) else {
            return false;
        };
        self.start(kernel, pid, Some(copy.by), told_by);
        true
    }

    fn settle_old_copies(&mut self, kernel: &Arc<Kernel>) {
        let old = |(pid, copy): (&u32, &Copy)| (copy.since.elapsed() > PATIENCE).then_some(*pid);
        let old: Vec<u32> = self.copies.iter().filter_map(old).collect();
        for pid in old {
            self.settle(kernel, pid, Told::Copied);
        }
    }

    /// Compares what is known with what is there. A pid that was used again in between is not
    /// noticed.
    fn rescan(&mut self, kernel: &Arc<Kernel>) {
        let there: HashSet<u32> = procfs::pids().into_iter().collect();
        let gone = self.made.keys().filter(|pid| !there.contains(pid));
        for pid in gone.copied().collect::<Vec<_>>() {
            self.guessed_exits += 1;
            self.exit(kernel, pid, 0);
        }
        self.copies.retain(|pid, _| there.contains(pid));
        let mut new: Vec<u32> = there
            .into_iter()
            .filter(|pid| !self.made.contains_key(pid))
            .collect();
        new.sort_unstable();
        for pid in new {
            let facts = Facts::read(pid);
            if let Some(parent) = facts.parent.filter(|_| !facts.kernel_thread) {
                let by = Creator::some_thread_of(parent);
                self.copies.entry(pid).or_insert(Copy::now(by));
            }
        }
    }
}

impl Copy {
    fn now(by: Creator) -> Copy {
        let since = Instant::now();
        Copy { by, since }
    }
}

impl Creator {
    fn some_thread_of(pid: u32) -> Creator {
        Creator { pid, tid: None }
    }
}

/// The running thread of `process` that has this id.
fn thread_of(kernel: &Kernel, process: &Process, tid: u32) -> Option<ObjectRef<Thread>> {
    let thread = kernel.ps.find_thread(tid);
    thread.filter(|thread| thread.process.is(process))
}

fn with_id(tid: u32) -> NewThread {
    NewThread {
        id: Some(tid),
        ..NewThread::default()
    }
}

/// What a shell would show: the exit code, or 128 and the signal.
fn windows_status(status: u32) -> u32 {
    match status & 0x7f {
        0 => status >> 8 & 0xff,
        signal => 128 + signal,
    }
}

fn clock_ticks() -> i64 {
    // SAFETY: no memory is passed.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    ticks.max(1)
}

impl Source for Live {
    fn host(&self) -> Host {
        self.host.clone()
    }

    fn populate(&mut self, kernel: &Arc<Kernel>) {
        kernel.ps.leave_ids_to_source(0);
        for pid in procfs::pids() {
            let facts = Facts::read(pid);
            if pid > LAST_SYSTEM_PID && !facts.kernel_thread && facts.began.is_some() {
                self.add(kernel, pid, &facts);
            }
        }
        self.catch_up(kernel);
    }

    fn run(&mut self, stage: &Stage<'_>) {
        let kernel = stage.kernel;
        while !stage.stopped() {
            let received = self.receive(PERIOD);
            self.take(kernel, received);
            self.settle_old_copies(kernel);
        }
    }

    fn summary(&self) -> Vec<String> {
        let mut lines = vec![match self.unread {
            0 => format!("{} process starts, all read in full", self.starts),
            unread => format!(
                "{} process starts; {unread} of them could not be read in full, most often because they were gone",
                self.starts
            ),
        }];
        let (without, threads) = (self.without_creator, self.threads);
        lines.push(format!(
            "{threads} threads started beside the first of each process"
        ));
        lines.push(format!(
            "synthetic: the creating thread, of processes and threads: {} events",
            2 * without + threads
        ));
        lines.push("Linux tells of no images and of no handles: there were no such events".into());
        if let Some(why) = self.polls_because() {
            lines.push(format!(
                "/proc was polled, short-lived processes and threads were missed: {why}"
            ));
        }
        if self.overruns > 0 {
            lines.push(format!(
                "Linux dropped events {} times, short-lived processes and threads were missed then",
                self.overruns
            ));
        }
        if self.guessed_exits > 0 {
            lines.push(format!(
                "the exit status of {} processes is not known and shown as 0",
                self.guessed_exits
            ));
        }
        lines
    }
}

#[cfg(test)]
mod tests;
