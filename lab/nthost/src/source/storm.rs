//! Load: processes that start and exit as fast as the machine lets them.

use crate::Kernel;
use crate::ps::NewProcess;
use crate::se::Token;
use crate::source::sessions::Window;
use crate::source::{Host, Source, Stage, live, volume};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// So many processes, each of which starts and exits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storm {
    /// How many start.
    pub processes: u64,
    /// Threads that start them.
    pub threads: usize,
    /// Keep within what the clients have read, so that nothing is lost.
    pub paced: bool,
}

/// Bytes of a start and an exit, at most.
const PAIR: usize = 2048;

impl Source for Storm {
    fn host(&self) -> Host {
        live::this_host()
    }

    fn populate(&mut self, _: &Arc<Kernel>) {}

    fn run(&mut self, stage: &Stage<'_>) {
        stage.sessions.wait_for_one(|| stage.stopped());
        let next = AtomicU64::new(0);
        let number = || {
            let number = next.fetch_add(1, Ordering::Relaxed);
            (number < self.processes && !stage.stopped()).then_some(number)
        };
        if self.paced {
            let mut window = Window::default();
            // A start and an exit are two events of half the size.
            let mut room = || window.admit(PAIR / 2, stage) && window.admit(PAIR / 2, stage);
            while room() {
                let Some(number) = number() else { return };
                start_and_exit(stage.kernel, number);
            }
            return;
        }
        thread::scope(|scope| {
            for _ in 0..self.threads {
                scope.spawn(|| {
                    while let Some(number) = number() {
                        start_and_exit(stage.kernel, number);
                    }
                });
            }
        });
    }

    fn summary(&self) -> Vec<String> {
        vec![format!(
            "{} processes were to start and exit",
            self.processes
        )]
    }
}

fn start_and_exit(kernel: &Arc<Kernel>, number: u64) {
    let image = format!(r"C:\storm\worker{}.exe", number % 100);
    let new = NewProcess {
        image_name: Some(volume::open_name(&image)),
        image_path: Some(volume::device_path(&image)),
        command_line: Some(format!(r#""{image}" --number {number}"#)),
        token: Token::standard_user(),
        wow64: Some(false),
        protection: Some(0),
        ..NewProcess::default()
    };
    if let Ok(process) = kernel.start_process(&kernel.ps.system, new) {
        kernel.exit_process(&process, number as i32);
    }
}
