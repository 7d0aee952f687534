//! `ntwatch install`, `uninstall`, `start` and `stop`: the driver as a service of Windows.

mod error;
mod manager;

pub(crate) use error::ServiceError;

use crate::cli::InstallOptions;
use crate::failure::Failure;
use crate::output;
use error::Doing;
use manager::{Service, Start};
use ntwatch_client::Driver;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};
use std::{env, fs};

/// The package's description, which the service is installed by.
const INX: &str = include_str!("../../../../../inf/ntwatch.inx");

/// How long the driver may take to go once nobody has it open.
const GOING: Duration = Duration::from_secs(10);

/// Nothing is left behind if it fails.
pub(crate) fn install(options: &InstallOptions) -> Result<ExitCode, Failure> {
    // Before anything is changed: it takes an administrator.
    let creating = manager::create()?;
    if Service::open(Doing::Install).is_ok() {
        return Err(ServiceError::Installed.into());
    }
    let file = match &options.driver {
        Some(file) => file.clone(),
        None => beside_this_program()?,
    };
    let installed = installed();
    copy(&file, &installed)?;
    let made = creating.service(altitude());
    if made.is_err() {
        let _ = fs::remove_file(&installed);
    }
    made?;
    output::print("ntwatch is installed; `ntwatch start` loads the driver.\n")
}

pub(crate) fn uninstall(device: &str) -> Result<ExitCode, Failure> {
    let service = Service::open(Doing::Uninstall)?;
    halt(&service, device)?;
    service.delete()?;
    let installed = installed();
    match fs::remove_file(&installed) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(ServiceError::file("remove", &installed, error).into());
        }
        _ => {}
    }
    output::print("ntwatch is uninstalled.\n")
}

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

fn copy(from: &Path, to: &Path) -> Result<(), ServiceError> {
    let copied = fs::copy(from, to);
    copied.map_err(|error| ServiceError::file("copy", from, error))?;
    Ok(())
}

fn beside_this_program() -> Result<PathBuf, ServiceError> {
    let program = env::current_exe();
    let program =
        program.map_err(|error| ServiceError::file("find", Path::new("ntwatch.exe"), error))?;
    Ok(program.with_file_name(manager::FILE))
}

/// Where the driver's file is when it is installed.
fn installed() -> PathBuf {
    let windows = env::var_os("SystemRoot").map_or_else(|| r"C:\Windows".into(), PathBuf::from);
    windows.join(r"System32\drivers").join(manager::FILE)
}

/// Of the handle callbacks, as the package says it.
fn altitude() -> &'static str {
    let value = INX
        .lines()
        .find_map(|line| line.strip_prefix("Altitude")?.split('"').nth(1));
    value.expect("the package has an altitude")
}
