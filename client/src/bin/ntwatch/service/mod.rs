//! `ntwatch install`, `uninstall`, `start` and `stop`: the driver as a service of Windows.

mod elevation;
mod error;
mod image;
mod install;
mod manager;
mod package;
mod remedy;
mod source;

pub(crate) use error::ServiceError;
pub(crate) use install::{install, uninstall};

use crate::failure::Failure;
use crate::output;
use error::Doing;
use manager::{Service, Start};
use ntwatch_client::Driver;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

/// How long the driver may take to go once nobody has it open.
const GOING: Duration = Duration::from_secs(10);
pub(crate) fn start() -> Result<ExitCode, Failure> {
    let said = match Service::open(Doing::Start)?.start()? {
        Start::Started => "The driver is loaded.\n",
        Start::Running => "The driver was loaded already.\n",
    };
    output::print(said)
}

pub(crate) fn stop(device: &str) -> Result<ExitCode, Failure> {
    let said = match halt(&Service::open(Doing::Stop)?, device)? {
        true => "The driver is unloaded.\n",
        false => "The driver was not loaded.\n",
    };
    output::print(said)
}

/// Has the driver unloaded. Was it loaded?
///
/// N.B. Windows tells a driver of a stop only when its last handle is closed, and a read that waits
/// keeps one open: so the driver is told first, and ends them.
fn halt(service: &Service, device: &str) -> Result<bool, Failure> {
    if service.is_stopped()? {
        return Ok(false);
    }
    let mut others = 0;
    // One that does not answer can only be stopped.
    if let Ok(driver) = Driver::open(device) {
        others = driver.stats()?.sessions.saturating_sub(1);
        driver.shut_down()?;
    }
    service.stop()?;
    let began = Instant::now();
    while !service.is_stopped()? {
        if began.elapsed() > GOING {
            return Err(ServiceError::Held { others }.into());
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(true)
}
