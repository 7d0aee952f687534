//! What keeps a service from being what it is told to be.

use super::remedy::remedy;
use super::source::STAYS;
use std::io;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use thiserror::Error;
use windows_sys::Win32::Foundation::{ERROR_ACCESS_DENIED, ERROR_SERVICE_DOES_NOT_EXIST};

/// What a command is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    Install,
    Uninstall,
    Start,
    Stop,
}

impl Doing {
    fn word(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Uninstall => "uninstall",
            Self::Start => "start",
            Self::Stop => "stop",
        }
    }
}

/// Why a command about the service fails.
#[derive(Debug, Error)]
pub(crate) enum ServiceError {
    #[error(
        "cannot {} the driver: that takes an administrator; open the console with \"Run as \
         administrator\"", .0.word()
    )]
    NotElevated(Doing),
    #[error("ntwatch is not installed; `ntwatch install` does it")]
    NotInstalled,
    #[error("ntwatch is installed already; `ntwatch uninstall` removes it")]
    Installed,
    #[error(
        "there is no driver to install: neither ntwatch.inf, its package, nor ntwatch.sys, its \
         file, lies beside this program in {}; --package or --driver names one", .folder.display()
    )]
    NothingToInstall { folder: PathBuf },
    #[error(
        "this Windows lacks what takes the package of {} away; `pnputil /delete-driver` with its \
         name there, and /uninstall, may do it", .inf.display()
    )]
    NotRemovable { inf: PathBuf },
    #[error("cannot {doing} the driver: {error}{remedy}", doing = .doing.word(), remedy = remedy(.error))]
    Windows { doing: Doing, error: io::Error },
    #[error("cannot {what} {}: {error}", .path.display())]
    File {
        what: &'static str,
        path: PathBuf,
        error: io::Error,
    },
    #[error(
        "the driver is to go, and is still held by whoever has it open{}; close them, and it goes",
        .others.map(|others| format!(" ({others} sessions besides this one)")).unwrap_or_default()
    )]
    Held {
        /// If they are known.
        others: Option<NonZeroU32>,
    },
    #[error(
        "the driver cannot be loaded yet: it is still to go since it was stopped, and held by \
         whoever has it open; close them, and start it again"
    )]
    Going,
    #[error("{error}{STAYS}")]
    WithPackage { error: Box<Self> },
}

impl ServiceError {
    /// What the service, or who keeps it, could not be opened for.
    pub(super) fn opening(doing: Doing, error: windows_service::Error) -> Self {
        let error = unwrapped(error);
        match error.raw_os_error().map(i32::cast_unsigned) {
            Some(ERROR_ACCESS_DENIED) => Self::NotElevated(doing),
            Some(ERROR_SERVICE_DOES_NOT_EXIST) => Self::NotInstalled,
            _ => Self::Windows { doing, error },
        }
    }

    /// What another call of the service control manager's failed with.
    pub(super) fn service(doing: Doing, error: windows_service::Error) -> Self {
        let error = unwrapped(error);
        Self::Windows { doing, error }
    }

    /// What any other call of Windows' failed with.
    pub(super) fn windows(doing: Doing, error: io::Error) -> Self {
        Self::Windows { doing, error }
    }

    pub(super) fn file(what: &'static str, path: &Path, error: io::Error) -> Self {
        let path = path.to_owned();
        Self::File { what, path, error }
    }

    /// The same, when there may be a package now that is of no use.
    pub(super) fn with_package(self) -> Self {
        let error = Box::new(self);
        Self::WithPackage { error }
    }

    /// Is the driver not there, or refused, as for other commands?
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Self::NotElevated(_) | Self::NotInstalled => true,
            Self::Windows { doing, .. } => *doing == Doing::Start,
            Self::WithPackage { error } => error.is_refusal(),
            _ => false,
        }
    }
}

fn unwrapped(error: windows_service::Error) -> io::Error {
    match error {
        windows_service::Error::Winapi(error) => error,
        other => io::Error::other(other),
    }
}
