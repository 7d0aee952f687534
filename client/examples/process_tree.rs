//! Prints the processes that run as a tree: `cargo run --example process_tree`.

use ntwatch_client::event::ProcessStart;
use ntwatch_client::protocol::record::Kind;
use ntwatch_client::{Body, DEFAULT_DEVICE, Driver, Error, Filter};
use std::collections::BTreeMap;

/// By start key: the pid of one that has ended may be another's by now.
type Processes = BTreeMap<u64, ProcessStart>;

fn main() -> Result<(), Error> {
    let device = std::env::args().nth(1);
    let driver = Driver::open(device.as_deref().unwrap_or(DEFAULT_DEVICE))?;
    let filter = Filter::new().event(Kind::ProcessStart);
    let mut watch = driver.watch(&filter.event(Kind::ProcessExit))?;
    let mut all = Processes::new();
    while !(watch.is_caught_up() && watch.knows_who_runs())
        && let Some(event) = watch.next()
    {
        match event?.body {
            // Processes start and end while it is found out which of them run.
            Body::ProcessRunning(start) | Body::ProcessStart(start) => {
                all.insert(start.process.key.0, *start);
            }
            Body::ProcessExit(exit) => drop(all.remove(&exit.process.key.0)),
            _ => {}
        }
    }
    let is_root = |start: &&_| !parent(start).is_some_and(|key| all.contains_key(&key));
    all.values()
        .filter(is_root)
        .for_each(|root| print(root, &all, 0));
    Ok(())
}

fn parent(start: &ProcessStart) -> Option<u64> {
    Some(start.parent.as_ref()?.key?.0)
}

fn print(ProcessStart { process, .. }: &ProcessStart, all: &Processes, depth: usize) {
    let name = process.command_line.as_deref().or(process.image.as_deref());
    let indent = "  ".repeat(depth);
    println!("{indent}{} {}", process.pid, name.unwrap_or("?"));
    let is_child = |start: &&_| parent(start) == Some(process.key.0);
    all.values()
        .filter(is_child)
        .for_each(|child| print(child, all, depth + 1));
}
