//! Prints the processes that run as a tree: `cargo run --example process_tree`.

use ntwatch_client::event::{Hex, ProcessStart};
use ntwatch_client::protocol::record::Kind;
use ntwatch_client::{Body, DEFAULT_DEVICE, Driver, Error, Filter};

fn main() -> Result<(), Error> {
    let device = std::env::args().nth(1);
    let driver = Driver::open(device.as_deref().unwrap_or(DEFAULT_DEVICE))?;
    let mut watch = driver.watch(&Filter::new().event(Kind::ProcessStart))?;
    let mut all = Vec::new();
    while !watch.is_caught_up()
        && let Some(event) = watch.next()
    {
        if let Body::ProcessRunning(process) = event?.body {
            all.push(*process);
        }
    }
    let runs = |key| all.iter().any(|process| process.process.key == key);
    for root in all
        .iter()
        .filter(|process| !parent(process).is_some_and(runs))
    {
        print(root, &all, 0);
    }
    Ok(())
}

/// By key: the pid of a parent that has ended may be another's by now.
fn parent(process: &ProcessStart) -> Option<Hex> {
    process.parent.as_ref()?.key
}

fn print(ProcessStart { process, .. }: &ProcessStart, all: &[ProcessStart], depth: usize) {
    let name = process.command_line.as_deref().or(process.image.as_deref());
    let indent = "  ".repeat(depth);
    println!("{indent}{} {}", process.pid, name.unwrap_or("?"));
    for child in all
        .iter()
        .filter(|child| parent(child) == Some(process.key))
    {
        print(child, all, depth + 1);
    }
}
