//! What there is to install, and why it is installed as it is.

use super::error::ServiceError;
use super::image::FILE;
use crate::cli::InstallOptions;
use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf, absolute};
use std::{env, fs};

/// The description of the package.
const INF: &str = "ntwatch.inf";

/// Behind what failed when a package could not be taken back.
pub(super) const STAYS: &str = "; `pnputil /enum-drivers` shows whether the package is still in the \
                                driver store, `pnputil /delete-driver` removes it";

/// What is to be installed.
pub(super) enum Source {
    /// A package, by the full path of its INF.
    Package(PathBuf),
    /// The driver's file alone.
    File { file: PathBuf, why: Why },
}

/// Why the service control manager installs a file, and not Windows a package.
pub(super) enum Why {
    Asked,
    NoPackage,
    /// Windows lacks what installs packages.
    NoFunction(PathBuf),
    /// It has taken the package, and that was all. It may still have it.
    NoService {
        inf: PathBuf,
        stays: bool,
    },
}

impl Display for Why {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked => f.write_str("--driver names a file without a package"),
            Self::NoPackage => write!(f, "no {INF} lies beside this program"),
            Self::NoFunction(inf) => write!(
                f,
                "this Windows has no DiInstallDriver to install the package {}",
                inf.display()
            ),
            Self::NoService { inf, stays } => write!(
                f,
                "this Windows took the package {} and made no service of it{}",
                inf.display(),
                if *stays { STAYS } else { "" }
            ),
        }
    }
}

impl Source {
    /// What is asked for; if nothing is, what lies beside this program, a package before a file.
    pub(super) fn of(options: &InstallOptions) -> Result<Self, ServiceError> {
        if let Some(inf) = &options.package {
            let there = absolute(inf).and_then(|inf| fs::metadata(&inf).map(|_| inf));
            let inf = there.map_err(|error| ServiceError::file("find", inf, error))?;
            return Ok(Self::Package(inf));
        }
        if let Some(file) = &options.driver {
            let (file, why) = (file.clone(), Why::Asked);
            return Ok(Self::File { file, why });
        }
        let program = env::current_exe();
        let program =
            program.map_err(|error| ServiceError::file("find", Path::new("ntwatch.exe"), error))?;
        let [inf, file] = [INF, FILE].map(|name| program.with_file_name(name));
        if inf.exists() {
            Ok(Self::Package(inf))
        } else if file.exists() {
            let why = Why::NoPackage;
            Ok(Self::File { file, why })
        } else {
            let folder = program.parent().unwrap_or(&program).to_owned();
            Err(ServiceError::NothingToInstall { folder })
        }
    }
}
