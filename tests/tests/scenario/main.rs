//! What happens on a machine passes through the shipped driver source by source: a test for each
//! row of what the driver is told of, and for each of its corners.

mod handles;
mod identity;
mod images;
mod protect;
mod threads;
mod wsl;

use nthost::Kernel;
use nthost::ob::ObjectRef;
use nthost::ps::{NewProcess, Process};
use std::sync::Arc;

/// A process that has run since before anybody listened.
fn running(kernel: &Kernel, id: u32) -> ObjectRef<Process> {
    kernel.add_process(NewProcess {
        create_time: Some(0),
        ..numbered(id)
    })
}

/// A process that is started by another, without a thread so far.
fn started(kernel: &Arc<Kernel>, by: &ObjectRef<Process>, id: u32) -> ObjectRef<Process> {
    let process = kernel.start_process(by, numbered(id));
    process.expect("no driver refuses it")
}

fn numbered(id: u32) -> NewProcess {
    NewProcess {
        id: Some(id),
        ..NewProcess::default()
    }
}
