//! Says who gets a handle to lsass.exe that can read its memory, where credentials are:
//! `cargo run --example lsass_alert`.

use ntwatch_client::{Body, Condition, DEFAULT_DEVICE, Driver, Filter};
use std::error::Error;

/// By the rights that are granted: who asks for MAXIMUM_ALLOWED names none.
const READS_LSASS: &str = r"target.image ~ lsass.exe and access.granted has vm_read";

fn main() -> Result<(), Box<dyn Error>> {
    let device = std::env::args().nth(1);
    let driver = Driver::open(device.as_deref().unwrap_or(DEFAULT_DEVICE))?;
    let reads_lsass = Condition::parse(READS_LSASS)?;
    // The driver leaves out what cannot fulfil the condition, and no more than that.
    for event in driver.watch(&reads_lsass.narrow(Filter::new())?)? {
        let event = event?;
        if let Body::HandleOpen(open) = &event.body
            && reads_lsass.holds(&event)
        {
            let (pid, image) = (open.source.pid, open.source.image.as_deref());
            let image = image.unwrap_or("a process without a name");
            println!("{} {image} ({pid}) can read lsass.exe", event.time);
        }
    }
    Ok(())
}
