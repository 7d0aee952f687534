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
use ntwatch_client::transport::Fault;
use ntwatch_client::{Driver, Error};
use std::num::NonZeroU32;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

/// How long the driver may take to go once nobody has it open.
const GOING: Duration = Duration::from_secs(10);

/// How long clients may take to leave a driver that is to go.
const LEAVING: Duration = Duration::from_secs(5);

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
    let mut others = None;
    if let Some(driver) = reach(device)? {
        driver.shut_down()?;
        // They read their counters before they go. N.B. Wine would unload the driver under them.
        within(LEAVING, || {
            others = NonZeroU32::new(driver.stats()?.sessions.saturating_sub(1));
            Ok(others.is_none())
        })?;
    }
    service.stop()?;
    match within(GOING, || Ok(service.is_stopped()?))? {
        true => Ok(true),
        false => Err(ServiceError::Held { others }.into()),
    }
}

/// The driver, if it can be told. One that is not there any more, is told already, or would not
/// understand can only be stopped; one that is there and does not answer would then wait for ever.
fn reach(device: &str) -> Result<Option<Driver>, Error> {
    match Driver::open(device) {
        Ok(driver) => Ok(Some(driver)),
        // N.B. Whom the driver refuses, Wine gives a handle that is none: no device says so.
        Err(
            error @ Error::NotNtwatch {
                fault: Fault::Io(_),
                ..
            },
        ) => Err(error),
        Err(
            Error::Open {
                fault: Fault::NotFound | Fault::ShuttingDown,
                ..
            }
            | Error::NotNtwatch { .. }
            | Error::OtherProtocol { .. },
        ) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether it is so before the time is over.
fn within(
    time: Duration,
    mut is_so: impl FnMut() -> Result<bool, Failure>,
) -> Result<bool, Failure> {
    let began = Instant::now();
    loop {
        if is_so()? {
            return Ok(true);
        }
        if began.elapsed() > time {
            return Ok(false);
        }
        thread::sleep(Duration::from_millis(20));
    }
}
