//! Prints the processes that run as a tree: `cargo run --example process_tree`.

use ntwatch_client::event::{Hex, ProcessStart};
use ntwatch_client::{DEFAULT_DEVICE, Driver, Error};

fn main() -> Result<(), Error> {
    let device = std::env::args().nth(1);
    let driver = Driver::open(device.as_deref().unwrap_or(DEFAULT_DEVICE))?;
    print_children(None, &driver.processes()?, 0);
    Ok(())
}

/// By start key: the pid of a parent that has ended may be another's by now.
fn print_children(of: Option<Hex>, all: &[ProcessStart], depth: usize) {
    for ProcessStart {
        process, parent, ..
    } in all
    {
        let parent = parent.as_ref().and_then(|parent| parent.key);
        let runs = |key: &Hex| all.iter().any(|other| other.process.key == *key);
        if parent.filter(runs) == of {
            let name = process.command_line.as_deref().or(process.image.as_deref());
            let (pid, name, indent) = (process.pid, name.unwrap_or("?"), 2 * depth);
            println!("{:indent$}{pid} {name}", "");
            print_children(Some(process.key), all, depth + 1);
        }
    }
}
