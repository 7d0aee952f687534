//! A source of events that costs little itself: opens of handles, as fast as they are read.

use crate::EVENTS;
use nthost::Kernel;
use nthost::io::FileHandle;
use nthost::ps::NewProcess;
use nthost::source::{Host, Quiet, Source, Stage};
use ntwatch_protocol::access::process::VM_READ;
use ntwatch_protocol::record::Kind;
use ntwatch_tests::machine::stats;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// As many events may be under way: they fit into every ring.
const UNDER_WAY: u64 = 64 * 1024;
/// Events between two looks at how many are.
const STEP: u64 = 4000;
/// Before the next look, if there are too many.
const PAUSE: Duration = Duration::from_micros(100);

const _: () = assert!(EVENTS.is_multiple_of(STEP));

/// [`EVENTS`] of them, once somebody watches.
pub(crate) struct Opens;

impl Source for Opens {
    fn host(&self) -> Host {
        Quiet.host()
    }

    fn populate(&mut self, _: &Arc<Kernel>) {}

    fn run(&mut self, stage: &Stage<'_>) {
        stage.sessions.wait_for_one(|| stage.stopped());
        if let [handle] = &stage.sessions.handles()[..] {
            open(stage.kernel, handle);
        }
    }
}

/// Opens, and waits while the session of `handle` is behind.
pub(crate) fn open(kernel: &Arc<Kernel>, handle: &FileHandle) {
    let running = || kernel.add_process(NewProcess::default());
    let (actor, target) = (running(), running());
    kernel.enter(&actor, || {
        for step in 0..EVENTS / STEP {
            while step * STEP > passed(handle) + UNDER_WAY {
                thread::sleep(PAUSE);
            }
            for _ in 0..STEP {
                kernel.ob.rehearse(&target, VM_READ);
            }
        }
    });
    kernel.forget_process(&actor);
    kernel.forget_process(&target);
}

/// Opens that are not under way any more.
fn passed(handle: &FileHandle) -> u64 {
    let opens = Kind::HandleOpen.index();
    let stats = stats(handle);
    stats.delivered[opens] + stats.session_lost[opens] + stats.capture_lost[opens]
}
