//! Configures builds against the Windows Driver Kit on a machine that is not Windows.
//!
//! Microsoft's `wdk-build` refuses any other host, though nothing that it does for a driver needs
//! one: it reads `metadata.wdk` of the driver's manifest, points bindgen at the kit's headers and
//! tells the linker how drivers are linked. This crate has its name and offers what the build
//! scripts of `wdk-sys`, `wdk`, `wdk-alloc`, `wdk-panic` and of a driver call, with the same
//! bindgen settings, definitions and link arguments. It knows KMDF drivers for x64 and arm64;
//! anything else is a [`ConfigError`].
//!
//! The kit is found through the variables of an eWDK prompt: `WDKContentRoot`, the directory that
//! holds `Include` and `Lib`, and `Version_Number`, for example `10.0.19041.0`.

mod bindings;
mod error;
mod link;
mod manifest;

use std::{
    env,
    path::{Path, PathBuf},
};

pub use bindings::BuilderExt;
pub use error::{ConfigError, IoError};
pub use manifest::{DriverConfig, KmdfConfig, UmdfConfig};

/// What a build needs to know of the kit, the driver and the target.
#[derive(Debug, Clone)]
pub struct Config {
    /// The driver's model, from its manifest.
    pub driver_config: DriverConfig,
    kmdf: KmdfConfig,
    architecture: Architecture,
    content_root: PathBuf,
    version: String,
}

/// A part of the kit's interface that bindings are made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiSubset {
    /// What every kernel driver uses.
    Base,
    /// The driver framework.
    Wdf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Architecture {
    Amd64,
    Arm64,
}

impl Architecture {
    /// The architecture's directory in the kit's `Lib`.
    fn directory(self) -> &'static str {
        match self {
            Self::Amd64 => "x64",
            Self::Arm64 => "arm64",
        }
    }
}

impl Config {
    /// Reads the configuration from the workspace's manifests and the environment.
    ///
    /// # Errors
    /// No driver model or more than one in the workspace, a model other than KMDF, an unknown
    /// architecture, or no kit.
    pub fn from_env_auto() -> Result<Self, ConfigError> {
        let driver_config = manifest::driver_config()?;
        let DriverConfig::Kmdf(kmdf) = driver_config.clone() else {
            return Err(ConfigError::UnsupportedDriverModel {
                model: driver_config.name(),
            });
        };
        let architecture = match variable("CARGO_CFG_TARGET_ARCH")?.as_str() {
            "x86_64" => Architecture::Amd64,
            "aarch64" => Architecture::Arm64,
            other => {
                return Err(ConfigError::UnsupportedArchitecture {
                    name: other.to_owned(),
                });
            }
        };
        println!("cargo::rerun-if-env-changed=WDKContentRoot");
        println!("cargo::rerun-if-env-changed=Version_Number");
        Ok(Self {
            driver_config,
            kmdf,
            architecture,
            content_root: variable("WDKContentRoot")?.into(),
            version: variable("Version_Number")?,
        })
    }

    /// The directories with the kit's headers, in search order.
    ///
    /// # Errors
    /// One of them does not exist.
    pub fn include_paths(&self) -> Result<impl Iterator<Item = PathBuf> + use<>, ConfigError> {
        let include = self.content_root.join("Include");
        let system = include.join(&self.version);
        existing([
            system.join("km/crt"),
            system.join("km"),
            system.join("shared"),
            include.join("wdf/kmdf").join(self.kmdf.version()),
            system.join("km/ufx/1.1"),
        ])
    }

    /// The directories with the kit's libraries, in search order.
    ///
    /// # Errors
    /// One of them does not exist.
    pub fn library_paths(&self) -> Result<impl Iterator<Item = PathBuf> + use<>, ConfigError> {
        let lib = self.content_root.join("Lib");
        let architecture = self.architecture.directory();
        existing([
            lib.join("wdf/kmdf")
                .join(architecture)
                .join(self.kmdf.version()),
            lib.join(&self.version).join("km").join(architecture),
        ])
    }

    /// The macros that the kit's headers want to be defined.
    pub fn preprocessor_definitions(&self) -> impl Iterator<Item = (String, Option<String>)> {
        let target: &[(&str, Option<u8>)] = match self.architecture {
            Architecture::Amd64 => &[("_WIN64", None), ("_AMD64_", None), ("AMD64", None)],
            Architecture::Arm64 => &[
                ("_ARM64_", None),
                ("ARM64", None),
                ("_USE_DECLSPECS_FOR_SAL", Some(1)),
                ("STD_CALL", None),
            ],
        };
        let model = [
            ("_KERNEL_MODE", None),
            ("KMDF_VERSION_MAJOR", Some(self.kmdf.kmdf_version_major)),
            (
                "KMDF_VERSION_MINOR",
                Some(self.kmdf.target_kmdf_version_minor),
            ),
        ];
        let minimum = self.kmdf.minimum_kmdf_version_minor;
        target
            .iter()
            .copied()
            .chain(model)
            .chain(minimum.map(|minor| ("KMDF_MINIMUM_VERSION_REQUIRED", Some(minor))))
            .map(|(name, value)| (name.to_owned(), value.map(|value| value.to_string())))
    }

    /// A header that includes the headers of the subsets.
    ///
    /// # Errors
    /// None here; Microsoft's crate has some.
    pub fn bindgen_header_contents(
        &self,
        subsets: impl IntoIterator<Item = ApiSubset>,
    ) -> Result<String, ConfigError> {
        let headers = subsets.into_iter().flat_map(|subset| match subset {
            ApiSubset::Base => ["ntifs.h", "ntddk.h", "ntstrsafe.h"].as_slice(),
            ApiSubset::Wdf => &["wdf.h"],
        });
        Ok(headers
            .map(|header| format!("#include \"{header}\"\n"))
            .collect())
    }

    /// The name of the framework's function table in the kit's headers.
    #[must_use]
    pub fn compute_wdffunctions_symbol_name(&self) -> Option<String> {
        let KmdfConfig {
            kmdf_version_major: major,
            target_kmdf_version_minor: minor,
            ..
        } = self.kmdf;
        Some(format!("WdfFunctions_{major:02}0{minor:02}"))
    }

    /// Tells rustc the driver model, by `cfg(driver_model__driver_type = "…")`.
    ///
    /// # Errors
    /// None here; Microsoft's crate has some.
    pub fn configure_library_build(&self) -> Result<(), ConfigError> {
        emit_check_cfg();
        println!(
            "cargo::rustc-cfg=driver_model__driver_type=\"{}\"",
            self.driver_config.name()
        );
        Ok(())
    }
}

/// Configures the build of a library that depends on the kit.
///
/// A workspace without a driver is none of its business: the library is built without bindings.
///
/// # Errors
/// Those of [`Config::from_env_auto`].
pub fn configure_wdk_library_build() -> Result<(), ConfigError> {
    configure_wdk_library_build_and_then(|_| Ok(()))
}

/// Configures the build of a library that depends on the kit, then calls `f`.
///
/// # Errors
/// Those of [`Config::from_env_auto`] and of `f`.
pub fn configure_wdk_library_build_and_then<F, E>(mut f: F) -> Result<(), E>
where
    F: FnMut(Config) -> Result<(), E>,
    E: From<ConfigError>,
{
    match Config::from_env_auto() {
        Ok(config) => {
            config.configure_library_build()?;
            f(config)
        }
        Err(ConfigError::NoDriver) => {
            emit_check_cfg();
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// Configures the build of a driver.
///
/// # Errors
/// Those of [`Config::from_env_auto`], a missing library directory, or a build without the
/// static C run-time.
pub fn configure_wdk_binary_build() -> Result<(), ConfigError> {
    Config::from_env_auto()?.configure_binary_build()
}

fn emit_check_cfg() {
    println!(
        r#"cargo::rustc-check-cfg=cfg(driver_model__driver_type, values("WDM", "KMDF", "UMDF"))"#
    );
}

/// The value of an environment variable that must be there.
fn variable(name: &'static str) -> Result<String, ConfigError> {
    env::var(name).map_err(|_| ConfigError::Variable { name })
}

/// The directories, if all of them exist.
fn existing<const N: usize>(
    directories: [PathBuf; N],
) -> Result<impl Iterator<Item = PathBuf> + use<N>, ConfigError> {
    match directories
        .iter()
        .find(|directory| !Path::is_dir(directory))
    {
        Some(missing) => Err(ConfigError::DirectoryNotFound {
            directory: missing.clone(),
        }),
        None => Ok(directories.into_iter()),
    }
}
