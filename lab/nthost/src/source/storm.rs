//! Load: processes that start and exit as fast as the machine lets them, and what they do.

use crate::Kernel;
use crate::ps::{NewImage, NewProcess, NewThread, Open};
use crate::se::Token;
use crate::source::{Host, Source, Stage, Window, live, volume};
use ntwatch_protocol::record::Kind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use windows_sys::Win32::System::Threading::PROCESS_VM_READ;

/// So many processes, each of which starts and exits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storm {
    /// How many start.
    pub processes: u64,
    /// What each does in between.
    pub mix: Vec<Activity>,
    /// Threads that start them.
    pub threads: usize,
    /// Keep within what the clients have read, so that nothing is lost.
    pub paced: bool,
}

/// What a process of the storm does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// A thread of it starts and exits.
    Threads,
    /// An image is mapped into it.
    Images,
    /// A handle to it is opened and closed.
    Handles,
}

/// Bytes of an event, at most.
const EVENT: usize = 1024;

impl Storm {
    /// The events of one process, and the bytes of each, at most.
    fn events(&self) -> Vec<(Kind, usize)> {
        let mut kinds = vec![Kind::ProcessStart, Kind::ProcessExit];
        for activity in &self.mix {
            kinds.extend_from_slice(match activity {
                Activity::Threads => &[Kind::ThreadStart, Kind::ThreadExit],
                Activity::Images => &[Kind::ImageLoad],
                Activity::Handles => &[Kind::HandleOpen],
            });
        }
        kinds.into_iter().map(|kind| (kind, EVENT)).collect()
    }
}

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
            let events = self.events();
            while window.admit(&events, stage) {
                let Some(number) = number() else { return };
                live_and_die(stage.kernel, number, &self.mix);
            }
            return;
        }
        thread::scope(|scope| {
            for _ in 0..self.threads {
                scope.spawn(|| {
                    while let Some(number) = number() {
                        live_and_die(stage.kernel, number, &self.mix);
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

fn live_and_die(kernel: &Arc<Kernel>, number: u64, mix: &[Activity]) {
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
    let system = &kernel.ps.system;
    let Ok(process) = kernel.start_process(system, new) else {
        return;
    };
    let status = number as i32;
    for activity in mix {
        match activity {
            Activity::Threads => {
                let new = NewThread {
                    start_address: 0x7ff6_0000_1000 + number % 100,
                    ..NewThread::default()
                };
                let thread = kernel.enter(system, || kernel.start_thread(&process, new));
                kernel.exit_thread(&thread, status);
            }
            Activity::Images => {
                let image = NewImage {
                    name: Some(volume::device_path(&image)),
                    base: 0x7ff6_0000_0000,
                    size: 0x2_0000,
                    ..NewImage::default()
                };
                kernel.enter(&process, || kernel.load_image(Some(&process), image));
            }
            Activity::Handles => kernel.enter(system, || {
                let opened = kernel.open_process(&process, Open::access(PROCESS_VM_READ));
                // A table that is full is for the driver to tell of.
                let _ = opened.map(|handle| kernel.close_handle(handle));
            }),
        }
    }
    kernel.exit_process(&process, status);
}
