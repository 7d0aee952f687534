//! Says who gets a handle to lsass.exe that can read its memory, where credentials are:
//! `cargo run --example lsass_alert`.

use ntwatch_client::event::HandleOpen;
use ntwatch_client::protocol::record::Kind;
use ntwatch_client::{Body, DEFAULT_DEVICE, Driver, Error, Filter, Rights};

/// PROCESS_VM_READ, and no right to a thread.
const READ: Rights = Rights {
    process: 0x0010,
    thread: 0,
};

fn main() -> Result<(), Error> {
    let device = std::env::args().nth(1);
    let driver = Driver::open(device.as_deref().unwrap_or(DEFAULT_DEVICE))?;
    let filter = Filter::new().event(Kind::HandleOpen).access(READ);
    for event in driver.watch(&filter)? {
        let event = event?;
        if let Body::HandleOpen(open) = &event.body
            && reads_lsass(open)
        {
            let (pid, image) = (open.source.pid, open.source.image.as_deref());
            let image = image.unwrap_or("a process without a name");
            println!("{} {image} ({pid}) can read lsass.exe", event.time);
        }
    }
    Ok(())
}

/// Not by the filter's image: then only what has to do with lsass.exe would come, and of those who
/// open it no name.
fn reads_lsass(open: &HandleOpen) -> bool {
    let image = open.target.image.as_deref().unwrap_or_default();
    let granted = open.access.granted.unwrap_or_default();
    image.ends_with(r"\lsass.exe") && granted & READ.process != 0
}
