//! Builds the programs of user mode for Windows, on Linux: with GNU's linker, where on Windows it is
//! Microsoft's.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result};

use crate::{
    command, pe,
    setup::{self, Missing},
    toolchain::{self, Rust, in_path, rust, toolchain},
};

const TARGET: &str = "x86_64-pc-windows-gnu";
const LINKER: &str = "x86_64-w64-mingw32-gcc";

/// A library that Wine lacks.
const PRNG: &str = "bcryptprimitives";
/// A kernel for the driver on Wine.
const SHIM: &str = "ntosshim";
/// A library of Windows that is empty on Wine.
const NEWDEV: &str = "newdev";
/// What there is to build, together: alone, each has crates of its own with other features.
const ALL: [&str; 15] = [
    "-p",
    "ntwatch-client",
    "--bin",
    "ntwatch",
    "-p",
    "ntwatch-hand",
    "--bin",
    "hand",
    "-p",
    PRNG,
    "-p",
    SHIM,
    "-p",
    NEWDEV,
    "--lib",
];

/// What a build left behind.
pub(crate) struct Programs {
    pub(crate) client: PathBuf,
    /// Does what a user does.
    pub(crate) hand: PathBuf,
    /// Has to lie where Wine has its libraries.
    pub(crate) prng: PathBuf,
    /// What the driver imports there in place of Wine's kernel.
    pub(crate) shim: PathBuf,
    /// Does nothing beside it: it stands for a library of the system's.
    pub(crate) newdev: PathBuf,
}

/// Builds them. Not in release, which takes twice as long; and so what has to hold is asserted.
pub(crate) fn build() -> Result<Programs> {
    setup::install(missing)?;
    let rust = rust(TARGET).context("Rust for Windows is gone again")?;
    let mut cargo = cargo(&rust, "build", TARGET)?;
    cargo.env("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER", LINKER);
    let built = command::build(cargo.args(ALL))?;
    Ok(Programs {
        client: built.executable("ntwatch")?,
        hand: built.executable("hand")?,
        prng: built.dynamic_library(PRNG)?,
        shim: built.dynamic_library(SHIM)?,
        newdev: built.dynamic_library(NEWDEV)?,
    })
}

/// Lints them for Microsoft's target, for which nothing is linked here: GNU's is what is built.
pub(crate) fn clippy() -> Result<()> {
    setup::install(missing)?;
    let toolchain = toolchain()?;
    let mut cargo = cargo(&toolchain.rust, "clippy", toolchain::TARGET)?;
    // zstd's C, which is no part of it.
    cargo.env("CC_x86_64_pc_windows_msvc", LINKER);
    toolchain.make_libraries(&mut cargo);
    command::run(cargo.args(ALL).args(["--", "--deny=warnings"]))
}

/// What builds them, and is not there.
pub(crate) fn missing() -> Missing {
    Missing::default()
        .package(
            "gcc-mingw-w64-x86-64",
            "GNU's C compiler for Windows, which links programs, and compiles zstd",
            in_path(LINKER).is_some(),
        )
        .rust(TARGET, rust(TARGET).is_some())
}

fn cargo(rust: &Rust, subcommand: &str, target: &str) -> Result<Command> {
    let mut cargo = rust.cargo(subcommand, "std,panic_abort");
    // And without what traces a panic, as nothing here names its functions.
    cargo.arg("-Zbuild-std-features=");
    cargo.args(["--target", target, "--target-dir"]);
    let target_directory = pe::lab().join("windows");
    // N.B. GNU's dlltool leaves an empty file for each library.
    let temporary = target_directory.join("temporary");
    fs::create_dir_all(&temporary).with_context(|| temporary.display().to_string())?;
    cargo.arg(target_directory).env("TMPDIR", temporary);
    // Nobody debugs them here, and linking what debuggers want takes long; as does what would help
    // to compile a crate again.
    cargo.env("CARGO_PROFILE_DEV_DEBUG", "false");
    cargo.env("CARGO_PROFILE_DEV_CODEGEN_UNITS", "1");
    cargo.env("CARGO_INCREMENTAL", "0");
    Ok(cargo)
}
