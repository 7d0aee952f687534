//! The driver's model, as its manifest states it in `[package.metadata.wdk.driver-model]`.

use std::path::PathBuf;

use cargo_metadata::MetadataCommand;
use serde::Deserialize;

use crate::{ConfigError, variable};

/// A driver's model and its settings.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "driver-type", rename_all = "UPPERCASE", deny_unknown_fields)]
pub enum DriverConfig {
    /// Windows Driver Model.
    Wdm,
    /// Kernel-Mode Driver Framework.
    Kmdf(KmdfConfig),
    /// User-Mode Driver Framework.
    Umdf(UmdfConfig),
}

/// The framework's version for a KMDF driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct KmdfConfig {
    /// Major version.
    pub kmdf_version_major: u8,
    /// Minor version whose headers the driver is built with.
    pub target_kmdf_version_minor: u8,
    /// Oldest minor version that the driver accepts at run time.
    pub minimum_kmdf_version_minor: Option<u8>,
}

/// The framework's version for a UMDF driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct UmdfConfig {
    /// Major version.
    pub umdf_version_major: u8,
    /// Minor version whose headers the driver is built with.
    pub target_umdf_version_minor: u8,
    /// Oldest minor version that the driver accepts at run time.
    pub minimum_umdf_version_minor: Option<u8>,
}

impl DriverConfig {
    /// The model's name, as in the manifest and in `cfg(driver_model__driver_type)`.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Wdm => "WDM",
            Self::Kmdf(_) => "KMDF",
            Self::Umdf(_) => "UMDF",
        }
    }
}

impl KmdfConfig {
    /// The version as the kit's directories have it.
    pub(crate) fn version(&self) -> String {
        format!(
            "{}.{}",
            self.kmdf_version_major, self.target_kmdf_version_minor
        )
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Wdk {
    driver_model: DriverConfig,
}

/// The one driver model of the workspace that is being built.
pub(crate) fn driver_config() -> Result<DriverConfig, ConfigError> {
    let manifest = workspace()?.join("Cargo.toml");
    let metadata = MetadataCommand::new()
        .manifest_path(&manifest)
        .no_deps()
        .exec()?;
    let mut found: Option<(String, DriverConfig)> = None;
    for package in metadata.packages {
        println!("cargo::rerun-if-changed={}", package.manifest_path);
        let Some(wdk) = package.metadata.get("wdk") else {
            continue;
        };
        let name = package.name.to_string();
        let driver_config = Wdk::deserialize(wdk)
            .map_err(|source| ConfigError::Manifest {
                package: name.clone(),
                source,
            })?
            .driver_model;
        match &found {
            Some((first, other)) if *other != driver_config => {
                return Err(ConfigError::SeveralDrivers {
                    first: first.clone(),
                    second: name,
                });
            }
            _ => found = Some((name, driver_config)),
        }
    }
    found
        .map(|(_, driver_config)| driver_config)
        .ok_or(ConfigError::NoDriver)
}

/// The workspace around the target directory. A build script of a dependency has no other way to
/// find who it is built for.
fn workspace() -> Result<PathBuf, ConfigError> {
    let out_dir = PathBuf::from(variable("OUT_DIR")?);
    let workspace = out_dir.ancestors().find(|directory| {
        ["Cargo.toml", "Cargo.lock"]
            .iter()
            .all(|f| directory.join(f).exists())
    });
    match workspace {
        Some(workspace) => Ok(workspace.to_owned()),
        None => Err(ConfigError::NoWorkspace { out_dir }),
    }
}
