//! Acting a recording out.

use super::Recording;
use super::cast::Cast;
use super::plan::{LeftOut, Step};
use crate::ps::BOOT_SHIFT;
use crate::source::{Host, SECOND, Source, Stage, Window};
use crate::{Config, Kernel};
use ntwatch_protocol::record::Kind;
use std::mem;
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
    host: String,
    begin: i64,
    before: Vec<usize>,
    steps: Vec<(i64, Step)>,
    left_out: Vec<LeftOut>,
    cast: Cast,
    speed: Speed,
}

impl Player {
    /// Gets ready to play.
    pub fn new(recording: Recording, speed: Speed) -> Player {
        let Recording { host, plan } = recording;
        Player {
            host,
            begin: plan.begin,
            before: plan.before,
            steps: plan.steps,
            left_out: plan.left_out,
            cast: Cast::new(plan.processes),
            speed,
        }
    }

    /// The events that a step makes, and the bytes of each, at most.
    fn events(&self, kernel: &Kernel, step: &Step) -> Vec<(Kind, usize)> {
        const FIXED: usize = 256;
        let units = |text: &Option<String>| text.as_ref().map_or(0, |text| 2 * text.len() + 64);
        match step {
            Step::Appear(_) => Vec::new(),
            Step::Start(index) | Step::Exit(index) => {
                let process = &self.cast.recorded()[*index];
                let size = FIXED + 2 * units(&process.image) + units(&process.command_line);
                if matches!(step, Step::Start(_)) {
                    return vec![(Kind::ProcessStart, size), (Kind::ThreadStart, FIXED)];
                }
                let mut events = vec![(Kind::ThreadExit, FIXED); self.cast.threads(kernel, *index)];
                events.push((Kind::ProcessExit, size));
                events
            }
            Step::Load { path, .. } => vec![(Kind::ImageLoad, FIXED + units(path))],
            Step::RemoteThread { .. } => vec![(Kind::ThreadStart, FIXED)],
            Step::Open { .. } => vec![(Kind::HandleOpen, FIXED)],
        }
    }
}

impl Source for Player {
    fn host(&self) -> Host {
        let created = |index: &usize| self.cast.recorded()[*index].create_time;
        let first = self.before.iter().map(created).min();
        Host {
            name: self.host.clone(),
            boot_time: first.unwrap_or(self.begin).min(self.begin),
        }
    }

    fn config(&self) -> Config {
        // A recording may go on after a reboot; it begins in the boot of its first process.
        let first = self.cast.recorded().iter().find_map(|process| process.key);
        Config {
            time: Some(self.begin),
            boot_time: Some(self.host().boot_time),
            boot_number: first.map(|key| (key >> BOOT_SHIFT) as u16),
            ..Config::default()
        }
    }

    fn populate(&mut self, kernel: &Arc<Kernel>) {
        let highest = self.cast.recorded().iter().filter_map(|p| p.key).max();
        kernel.ps.leave_ids_to_source(highest.unwrap_or(0) + 1);
        for index in &self.before {
            self.cast.add(kernel, *index);
        }
    }

    fn run(&mut self, stage: &Stage<'_>) {
        let kernel = stage.kernel;
        let mut window = Window::default();
        let began = Instant::now();
        for (time, step) in mem::take(&mut self.steps) {
            match self.speed {
                Speed::Max => {
                    if !window.admit(&self.events(kernel, &step), stage) {
                        return;
                    }
                }
                Speed::Times(times) => {
                    let since = (time - self.begin).max(0) as f64 / SECOND as f64 / times;
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
            self.cast.act(kernel, &step);
        }
    }

    fn summary(&self) -> Vec<String> {
        let played = &self.cast.played;
        let synthetic = [
            (played.starts, "the creating thread, of process starts"),
            (
                played.starts,
                "the first thread of each process that starts, without a start address",
            ),
            (
                played.thread_exits,
                "the ends of threads with their process, with exit status 0",
            ),
            (played.exits, "exit status 0, of process exits"),
            (
                played.remote_threads,
                "the creating thread, of remote threads",
            ),
            (
                played.loads,
                "base 0, size 0, and no signature level, of images",
            ),
            (
                played.opens,
                "the rights asked for (those granted), of handles, which are closed at once",
            ),
            (played.opens_by_any_thread, "the opening thread, of handles"),
            (
                played.without_key,
                "start keys, of processes that Sysmon did not know",
            ),
        ];
        let mut lines = vec![
            format!(
                "{}: {} process starts and {} exits, {} remote threads, {} images, {} handles",
                self.host,
                played.starts,
                played.exits,
                played.remote_threads,
                played.loads,
                played.opens
            ),
            "synthetic: SIDs of accounts that are not the same on every machine".into(),
        ];
        let made_up = synthetic.iter().filter(|(count, _)| *count > 0);
        lines.extend(made_up.map(|(count, what)| format!("synthetic: {what}: {count} events")));
        lines.extend(self.left_out.iter().map(ToString::to_string));
        lines.push(format!(
            "{} processes had no recorded exit when their pid was used again",
            played.expired
        ));
        lines
    }
}
