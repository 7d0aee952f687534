//! A Windows that knows little.

use crate::wide;
use ntwatch_engine::facts::{Facts, Object, System, ThreadFacts};
use ntwatch_engine::process_table::ProcessId;
use std::cell::Cell;

/// Counts references, and questions about images by pid. It forgets a process whose pid is a
/// multiple of 12 at once.
#[derive(Default)]
pub(crate) struct Windows {
    pub(crate) references: Cell<i64>,
    pub(crate) questions: Cell<u32>,
    /// When the process of every thread was created: long ago, unless a test says otherwise.
    pub(crate) process_create_time: i64,
}

impl Windows {
    pub(crate) fn take(&self, id: u32) -> Object {
        self.references.set(self.references.get() + 1);
        Object(u64::from(id))
    }
}

fn path(pid: u64) -> Option<Vec<u8>> {
    (!pid.is_multiple_of(12)).then(|| wide(&format!(r"\Device\HarddiskVolume3\p{pid}.exe")))
}

impl System for Windows {
    type Buffer = Vec<u8>;

    fn process_facts(&self, Object(pid): Object, subsystem_process: bool) -> Facts<Vec<u8>> {
        let is_there = !pid.is_multiple_of(12);
        Facts {
            image_path: path(pid),
            user: is_there.then(|| vec![1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0]),
            logon_id: is_there.then_some(0x3E7),
            integrity: is_there.then_some(0x4000),
            elevated: is_there.then_some(true),
            session_id: is_there.then_some(0),
            wow64: is_there.then_some(false),
            protection: is_there.then_some(0),
            subsystem: is_there.then_some(u32::from(subsystem_process)),
        }
    }

    fn image_path(&self, Object(pid): Object) -> Option<Vec<u8>> {
        path(pid)
    }

    fn thread_facts(&self, Object(tid): Object, ask_subsystem: bool) -> ThreadFacts {
        ThreadFacts {
            start_address: Some(tid << 16),
            subsystem: Some(u32::from(ask_subsystem)),
        }
    }

    fn process_create_time(&self, _: Object) -> Option<i64> {
        Some(self.process_create_time)
    }

    fn find_image(&self, id: ProcessId) -> Option<Vec<u8>> {
        self.questions.set(self.questions.get() + 1);
        path(u64::from(id.pid))
    }

    fn release(&self, _: Object) {
        self.references.set(self.references.get() - 1);
    }

    fn upcase(&self, unit: u16) -> u16 {
        crate::upcase(unit)
    }
}
