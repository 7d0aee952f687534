//! Who was there before a recording begins, and who appears in the middle of it.

use super::gather::NO_PID;
use super::plan::{Process, Step};
use std::collections::HashMap;

/// What the recording says, before it is settled who was there before.
#[derive(Clone, Debug)]
pub(super) enum Raw {
    Start(usize),
    Exit(usize),
    FirstMention(usize),
    /// Something that processes do; the number of the event, and where it stands.
    Act(Step, (u64, String)),
}

/// The processes that were there before, and the steps in file order.
pub(super) fn settle(
    processes: &[Process],
    started: &[bool],
    begin: i64,
    raw: Vec<(i64, Raw)>,
) -> (Vec<usize>, Vec<(i64, Step)>) {
    let mut stage = Stage {
        processes,
        begin,
        taken: HashMap::new(),
        there: vec![false; processes.len()],
        made: vec![false; processes.len()],
        before: Vec::new(),
        steps: Vec::new(),
    };
    for (time, raw) in raw {
        match raw {
            // Told of before its start: it is there early only if something has to be done with
            // it. Without a pid nothing ever is.
            Raw::FirstMention(index) if started[index] || processes[index].pid == NO_PID => {}
            Raw::FirstMention(index) => stage.settle(time, index),
            Raw::Start(index) => {
                if let Some(parent) = processes[index].parent {
                    stage.make(time, parent);
                }
                stage.taken.insert(processes[index].pid, false);
                (stage.there[index], stage.made[index]) = (true, true);
                stage.steps.push((time, Step::Start(index)));
            }
            Raw::Exit(index) => {
                if !stage.there[index] {
                    stage.settle(time, index);
                }
                stage.there[index] = false;
                stage.steps.push((time, Step::Exit(index)));
            }
            Raw::Act(step, _) => {
                step.parties().for_each(|index| stage.make(time, index));
                stage.steps.push((time, step));
            }
        }
    }
    (stage.before, stage.steps)
}

/// The machine as far as the steps have come.
struct Stage<'a> {
    processes: &'a [Process],
    begin: i64,
    /// Pids that were borne so far, and whether by a process that was there before.
    taken: HashMap<u32, bool>,
    /// Running.
    there: Vec<bool>,
    /// Running or exited.
    made: Vec<bool>,
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
        (self.there[index], self.made[index]) = (true, true);
    }

    /// Sees to it that there is such a process, which is only about to start.
    fn make(&mut self, time: i64, index: usize) {
        if !self.made[index] {
            self.taken.entry(self.processes[index].pid).or_insert(false);
            self.steps.push((time, Step::Appear(index)));
            (self.there[index], self.made[index]) = (true, true);
        }
    }
}
