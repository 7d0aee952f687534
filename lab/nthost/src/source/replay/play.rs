//! Acting a recording out.

use super::Recording;
use super::plan::{Plan, Process as Recorded, Step};
use crate::ob::ObjectRef;
use crate::ps::{BOOT_SHIFT, NewProcess, Parent, Process};
use crate::se::{Accounts, Token};
use crate::source::sessions::Window;
use crate::source::{Host, SECOND, Source, Stage, volume};
use crate::{Config, Kernel};
use std::str::FromStr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// How fast a recording is played.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// So many times as fast as it was recorded, from the start, whoever watches.
    Times(f64),
    /// As fast as the clients read. It begins when the first watches, and nothing is lost.
    Max,
}

impl FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Speed, String> {
        match text.parse::<f64>() {
            _ if text == "max" => Ok(Speed::Max),
            Ok(times) if times > 0.0 && times.is_finite() => Ok(Speed::Times(times)),
            _ => Err("give a number above 0, or max".into()),
        }
    }
}

/// Longest sleep between two looks at whether to stop.
const NAP: Duration = Duration::from_millis(50);

/// A recording on a machine.
pub struct Player {
    recording: Recording,
    speed: Speed,
    /// The newest process that was made for each of the plan's.
    made: Vec<Option<ObjectRef<Process>>>,
    /// Processes whose exit was not recorded, and whose pid another bears now.
    expired: Vec<u32>,
}

impl Player {
    /// Gets ready to play.
    pub fn new(recording: Recording, speed: Speed) -> Player {
        Player {
            made: vec![None; recording.plan.processes.len()],
            recording,
            speed,
            expired: Vec::new(),
        }
    }

    fn plan(&self) -> &Plan {
        &self.recording.plan
    }

    /// What the kernel makes of a recorded process.
    fn new_process(&self, recorded: &Recorded, accounts: &Accounts) -> NewProcess {
        let parent = recorded.parent_pid.map(|id| Parent {
            id,
            key: recorded
                .parent
                .map(|index| self.plan().processes[index].key),
        });
        NewProcess {
            id: Some(recorded.pid),
            key: Some(recorded.key),
            create_time: Some(recorded.create_time),
            parent,
            image_name: recorded.image.as_deref().map(volume::open_name),
            image_path: recorded.image.as_deref().map(volume::device_path),
            command_line: recorded.command_line.clone(),
            token: Token {
                user: recorded.user.as_deref().map(|user| accounts.sid_of(user)),
                integrity: recorded.integrity,
                session: recorded.session,
                logon_id: recorded.logon_id,
                ..Token::default()
            },
            ..NewProcess::default()
        }
    }

    fn add(&mut self, kernel: &Kernel, index: usize) {
        let new = self.new_process(&self.plan().processes[index], &kernel.ps.accounts);
        self.expire(kernel, index);
        self.made[index] = Some(kernel.add_process(new));
    }

    fn start(&mut self, kernel: &Arc<Kernel>, index: usize) {
        let recorded = &self.plan().processes[index];
        let new = self.new_process(recorded, &kernel.ps.accounts);
        // Whoever else created it is not recorded.
        let parent = recorded.parent.and_then(|parent| self.made[parent].clone());
        let creator = parent.unwrap_or_else(|| kernel.ps.system.clone());
        self.expire(kernel, index);
        match kernel.start_process(&creator, new) {
            Ok(process) => self.made[index] = Some(process),
            Err(status) => {
                let pid = self.plan().processes[index].pid;
                log(
                    kernel,
                    &format!("pid {pid} was refused by a driver with {status:#010x}"),
                );
            }
        }
    }

    fn exit(&mut self, kernel: &Arc<Kernel>, index: usize) {
        if let Some(process) = self.made[index].take() {
            // Sysmon does not record what a process ended with.
            kernel.exit_process(&process, 0);
        }
    }

    /// The bearer of the pid is gone without a recorded exit.
    fn expire(&mut self, kernel: &Kernel, index: usize) {
        let pid = self.plan().processes[index].pid;
        if kernel.ps.find(pid).is_some() {
            log(
                kernel,
                &format!("pid {pid} is borne by another now; the exit was not recorded"),
            );
            self.expired.push(pid);
        }
    }

    fn act(&mut self, kernel: &Arc<Kernel>, step: Step) {
        match step {
            Step::Start(index) => self.start(kernel, index),
            Step::Exit(index) => self.exit(kernel, index),
            Step::Appear(index) => self.add(kernel, index),
        }
    }

    /// Bytes of the event that a step makes, at most.
    fn event_size(&self, step: Step) -> usize {
        const FIXED: usize = 256;
        let units = |text: &Option<String>| text.as_ref().map_or(0, |text| 2 * text.len() + 64);
        match step {
            Step::Appear(_) => 0,
            Step::Start(index) | Step::Exit(index) => {
                let process = &self.plan().processes[index];
                FIXED + 2 * units(&process.image) + units(&process.command_line)
            }
        }
    }
}

fn log(kernel: &Kernel, line: &str) {
    kernel.log.print(&format!("replay: {line}\n"));
}

impl Source for Player {
    fn host(&self) -> Host {
        let created = |index: &usize| self.plan().processes[*index].create_time;
        let first = self.plan().before.iter().map(created).min();
        Host {
            name: self.recording.host.clone(),
            boot_time: first.unwrap_or(self.plan().begin).min(self.plan().begin),
        }
    }

    fn config(&self) -> Config {
        // A recording may go on after a reboot; it begins in the boot of its first process.
        let first = self.plan().processes.first();
        Config {
            time: Some(self.plan().begin),
            boot_time: Some(self.host().boot_time),
            boot_number: first.map(|process| (process.key >> BOOT_SHIFT) as u16),
        }
    }

    fn populate(&mut self, kernel: &Arc<Kernel>) {
        let highest = self.plan().processes.iter().map(|p| p.key).max();
        kernel.ps.leave_ids_to_source(highest.unwrap_or(0) + 1);
        for index in self.plan().before.clone() {
            self.add(kernel, index);
        }
    }

    fn run(&mut self, stage: &Stage<'_>) {
        let kernel = stage.kernel;
        let mut window = Window::default();
        let began = Instant::now();
        let begin = self.plan().begin;
        for (time, step) in self.plan().steps.clone() {
            match self.speed {
                Speed::Max => {
                    if !window.admit(self.event_size(step), stage) {
                        return;
                    }
                }
                Speed::Times(times) => {
                    let since = (time - begin).max(0) as f64 / SECOND as f64 / times;
                    let due = began + Duration::from_secs_f64(since);
                    while let Some(left) = due.checked_duration_since(Instant::now()) {
                        thread::sleep(left.min(NAP));
                        if stage.stopped() {
                            return;
                        }
                    }
                }
            }
            kernel.clock.set(time);
            self.act(kernel, step);
        }
    }

    fn summary(&self) -> Vec<String> {
        let steps = &self.plan().steps;
        let count = |wanted: fn(&Step) -> bool| steps.iter().filter(|(_, s)| wanted(s)).count();
        let starts = count(|step| matches!(step, Step::Start(_)));
        let exits = count(|step| matches!(step, Step::Exit(_)));
        vec![
            format!(
                "{}: {starts} process starts and {exits} exits",
                self.recording.host
            ),
            format!(
                "made up: exit status 0 of {exits} exits; the creating thread of {starts} starts"
            ),
            "made up: SIDs of accounts that are not the same on every machine".into(),
            format!(
                "{} processes had no recorded exit when their pid was used again",
                self.expired.len()
            ),
        ]
    }
}
