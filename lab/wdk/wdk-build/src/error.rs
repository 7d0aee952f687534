//! What can be wrong with a configuration.

use std::{io, path::PathBuf};

/// A failed operation on a file.
#[derive(Debug, thiserror::Error)]
#[error("{}", path.display())]
pub struct IoError {
    path: PathBuf,
    source: io::Error,
}

impl IoError {
    /// An error of an operation on the file `path`.
    pub fn with_path(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self {
            path: path.into(),
            source,
        }
    }
}

/// Why a build against the kit cannot be configured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A file could not be read or written.
    #[error(transparent)]
    Io(#[from] IoError),
    /// `cargo metadata` failed.
    #[error(transparent)]
    CargoMetadata(#[from] cargo_metadata::Error),
    /// The workspace of `OUT_DIR` was not found.
    #[error(
        "no directory above {} holds Cargo.toml and Cargo.lock: build with a target directory \
         inside the workspace", out_dir.display()
    )]
    NoWorkspace {
        /// Where the search began.
        out_dir: PathBuf,
    },
    /// No manifest of the workspace has `metadata.wdk`.
    #[error("no package of the workspace has [package.metadata.wdk.driver-model]")]
    NoDriver,
    /// The manifests disagree.
    #[error(
        "a workspace has one driver configuration, and {first} and {second} have different \
         [package.metadata.wdk.driver-model]"
    )]
    SeveralDrivers {
        /// One package.
        first: String,
        /// Another.
        second: String,
    },
    /// `metadata.wdk` does not have the shape that wdk-build documents.
    #[error("[package.metadata.wdk] of package {package}")]
    Manifest {
        /// The package.
        package: String,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The driver is not a KMDF driver.
    #[error("{model} drivers are built on Windows only; off Windows wdk-build knows KMDF")]
    UnsupportedDriverModel {
        /// The model's name.
        model: &'static str,
    },
    /// The target is neither x64 nor arm64.
    #[error("there are no Windows drivers for the architecture {name}; use x86_64 or aarch64")]
    UnsupportedArchitecture {
        /// cargo's name of the architecture.
        name: String,
    },
    /// An environment variable is missing.
    #[error(
        "the environment variable {name} is not set: build through `cargo xtask build`, or in an \
         environment that names the kit"
    )]
    Variable {
        /// The variable.
        name: &'static str,
    },
    /// The kit lacks a directory.
    #[error("the kit has no directory {}: run `cargo xtask build`", directory.display())]
    DirectoryNotFound {
        /// The directory.
        directory: PathBuf,
    },
    /// bindgen does not know the Rust version that the bindings are made for.
    #[error("bindgen does not know the Rust version of the bindings: {reason}")]
    RustTarget {
        /// What bindgen says.
        reason: String,
    },
    /// The C run-time would be a DLL.
    #[error(
        "drivers link the C run-time statically: build with \
         RUSTFLAGS=\"-C target-feature=+crt-static\""
    )]
    StaticCrtNotEnabled,
}
