//! `ntwatch install` and `uninstall`.

use super::elevation;
use super::error::{Doing, ServiceError};
use super::halt;
use super::image::{self, FILE, Kept};
use super::manager::{self, Service};
use super::package::{self, Outcome};
use super::source::{Source, Why};
use crate::cli::InstallOptions;
use crate::failure::Failure;
use crate::output;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fs, io};

const UNINSTALLED: &str = "ntwatch is uninstalled.\n";
/// What Windows may want at the end.
const RESTART: &str = "Restart the machine: Windows is done with it only then.\n";

/// If it fails nothing is left behind, or it is said what may be.
pub(crate) fn install(options: &InstallOptions) -> Result<ExitCode, Failure> {
    elevation::check(Doing::Install)?;
    image::check(Doing::Install)?;
    if Service::exists(Doing::Install)? {
        return Err(ServiceError::Installed.into());
    }
    let said = match Source::of(options)? {
        Source::Package(inf) => by_package(&inf)?,
        Source::File { file, why } => by_manager(&file, &why)?,
    };
    output::print(said)
}

/// As Windows wants drivers to be installed. Where it cannot, or only says so, the service control
/// manager takes the file of the package.
fn by_package(inf: &Path) -> Result<String, ServiceError> {
    let file = inf.with_file_name(FILE);
    match package::install(inf)? {
        Outcome::Lacking => by_manager(&file, &Why::NoFunction(inf.to_owned())),
        Outcome::Restart => Ok(installed("its package", inf.display()) + RESTART),
        Outcome::Done => match Service::exists(Doing::Install) {
            Ok(true) => Ok(installed("its package", inf.display())),
            none => {
                let (inf, stays) = (inf.to_owned(), !is_taken_back(inf));
                let why = Why::NoService { inf, stays };
                let done = none.and_then(|_| by_manager(&file, &why));
                done.map_err(|error| if stays { error.with_package() } else { error })
            }
        },
    }
}

/// Has Windows forget a package again. What is worse is said if it does not.
fn is_taken_back(inf: &Path) -> bool {
    matches!(
        package::uninstall(inf, Doing::Install),
        Ok(Outcome::Done | Outcome::Restart)
    )
}

/// N.B. Of two that do this at once one makes the service, and the file is that one's.
fn by_manager(file: &Path, why: &Why) -> Result<String, ServiceError> {
    let service = manager::create()?;
    if let Err(error) = fs::copy(file, image::drivers()) {
        // What is worse has been said then.
        let _ = service.delete();
        return Err(ServiceError::file("copy", file, error));
    }
    Ok(installed(
        "the service control manager",
        format_args!("as {why}"),
    ))
}

fn installed(by: &str, more: impl Display) -> String {
    format!("ntwatch is installed by {by}, {more}; `ntwatch start` loads the driver.\n")
}

/// If it fails it can be asked for again: what tells how the driver was installed goes last.
pub(crate) fn uninstall(device: &str) -> Result<ExitCode, Failure> {
    let doing = Doing::Uninstall;
    elevation::check(doing)?;
    image::check(doing)?;
    let service = Service::open(doing)?;
    halt(&service, device)?;
    let said = match Kept::of(&service.image()?) {
        Kept::Store(inf) => {
            // Windows deletes the service itself, and cannot while it is open here.
            drop(service);
            match take_away(inf)? {
                Outcome::Restart => format!("{UNINSTALLED}{RESTART}"),
                _ => UNINSTALLED.to_owned(),
            }
        }
        Kept::Drivers(file) => {
            remove(&file)?;
            service.delete()?;
            UNINSTALLED.to_owned()
        }
        Kept::Elsewhere(file) => {
            service.delete()?;
            let file = file.display();
            format!("{UNINSTALLED}{file} is still there: `ntwatch install` did not put it there.\n")
        }
    };
    output::print(said)
}

/// Has the store forget the package, by its INF there.
fn take_away(inf: PathBuf) -> Result<Outcome, ServiceError> {
    let doing = Doing::Uninstall;
    let outcome = package::uninstall(&package::published(&inf)?, doing)?;
    if matches!(outcome, Outcome::Lacking) {
        return Err(ServiceError::NotRemovable { inf });
    }
    if Service::exists(doing)? {
        Service::open(doing)?.delete()?;
    }
    Ok(outcome)
}

fn remove(file: &Path) -> Result<(), ServiceError> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(ServiceError::file("remove", file, error))
        }
        _ => Ok(()),
    }
}
