//! The tools that build for Windows on Linux.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{
    command::{cargo, output, workspace},
    setup::{self, Missing},
};

/// The target of the driver.
pub(crate) const TARGET: &str = "x86_64-pc-windows-msvc";

/// Tools for the driver's target.
pub(crate) struct Toolchain {
    pub(crate) rust: Rust,
    /// `rust-lld` or `lld-link`, in the guise that also makes libraries.
    pub(crate) lld: PathBuf,
    pub(crate) clang: PathBuf,
}

impl Toolchain {
    /// Has a cargo command put compiled C into libraries by lld.
    pub(crate) fn make_libraries(&self, cargo: &mut Command) {
        cargo.env("AR_x86_64_pc_windows_msvc", &self.lld);
        cargo.env("ARFLAGS_x86_64_pc_windows_msvc", "-flavor link /lib");
    }
}

/// Where the target's `core` and `alloc` come from.
pub(crate) enum Rust {
    /// Rustup has them compiled.
    Rustup,
    /// Debian has their source, which its own cargo and rustc compile along.
    Debian,
}

/// Fails where the lab cannot run: before anything is installed for it.
pub(crate) fn check_host() -> Result<()> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        bail!("the lab runs the driver's x64 code natively and needs Linux on x86-64");
    }
    Ok(())
}

/// Finds the tools, and installs what is missing where that is possible.
pub(crate) fn toolchain() -> Result<Toolchain> {
    check_host()?;
    if let Some(found) = find() {
        return Ok(found);
    }
    setup::install(missing)?;
    find().context("the tools for the driver are gone again")
}

fn find() -> Option<Toolchain> {
    Some(Toolchain {
        rust: rust(TARGET)?,
        lld: lld()?,
        clang: clang()?,
    })
}

/// What of them is not there.
pub(crate) fn missing() -> Missing {
    Missing::default()
        .package(
            "clang-19",
            "clang and libclang, which read the C headers of the kit",
            clang().is_some(),
        )
        .package("lld-19", "lld, which links for Windows", lld().is_some())
        .rust(TARGET, rust(TARGET).is_some())
}

/// Finds what compiles for a target, if it is there.
pub(crate) fn rust(target: &str) -> Option<Rust> {
    let mut print = Command::new("rustc");
    let directory = output(print.args(["--print", "target-libdir", "--target", target])).ok()?;
    if Path::new(directory.trim()).is_dir() {
        return Some(Rust::Rustup);
    }
    let debian = [Rust::CARGO, Rust::RUSTC, Rust::CLIPPY, Rust::SOURCE];
    debian
        .iter()
        .all(|path| Path::new(path).exists())
        .then_some(Rust::Debian)
}

impl Rust {
    const CARGO: &str = "/usr/bin/cargo";
    const RUSTC: &str = "/usr/bin/rustc";
    const CLIPPY: &str = "/usr/bin/cargo-clippy";
    const SOURCE: &str = "/usr/lib/rustlib/src/rust/library/Cargo.toml";

    /// A cargo command for another target, which needs these crates of Rust's. The environment of the
    /// cargo around this task, and settings for host builds, do not reach it.
    pub(crate) fn cargo(&self, subcommand: &str, libraries: &str) -> Command {
        let mut command = match self {
            Self::Rustup => cargo(),
            Self::Debian => {
                let mut command = Command::new(match subcommand {
                    // cargo-clippy calls the cargo that $CARGO names.
                    "clippy" => Self::CLIPPY,
                    _ => Self::CARGO,
                });
                command.current_dir(workspace());
                command.env_remove("RUSTUP_TOOLCHAIN");
                command.env("CARGO", Self::CARGO).env("RUSTC", Self::RUSTC);
                command
            }
        };
        command.arg(subcommand);
        for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_TARGET_DIR"] {
            command.env_remove(name);
        }
        if matches!(self, Self::Debian) {
            command.arg(format!("-Zbuild-std={libraries}"));
        }
        // For -Zlockfile-path and -Zbuild-std.
        command.env("RUSTC_BOOTSTRAP", "1");
        command
    }
}

/// rustup's `rust-lld`, else Debian's `lld-link-19`.
fn lld() -> Option<PathBuf> {
    let sysroot = output(Command::new("rustc").args(["--print", "sysroot"])).ok()?;
    let bundled =
        Path::new(sysroot.trim()).join("lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld");
    bundled
        .exists()
        .then_some(bundled)
        .or_else(|| in_path("lld-link-19"))
}

fn clang() -> Option<PathBuf> {
    in_path("clang-19").or_else(|| in_path("clang"))
}

/// A program that the shell would find.
pub(crate) fn in_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|file| file.is_file())
}
