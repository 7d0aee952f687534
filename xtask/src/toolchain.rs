//! The tools that build for Windows on Linux.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{
    command::{cargo, output, workspace},
    setup,
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

/// Where the target's `core` and `alloc` come from.
pub(crate) enum Rust {
    /// Rustup has them compiled.
    Rustup,
    /// Debian has their source, which its own cargo and rustc compile along.
    Debian,
}

/// Finds the tools, and installs what is missing where that is possible.
pub(crate) fn toolchain() -> Result<Toolchain> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        bail!("the lab runs the driver's x64 code natively and needs Linux on x86-64");
    }
    let (rust, lld, clang) = match (rust(TARGET), lld(), clang()) {
        (Some(rust), Some(lld), Some(clang)) => (rust, lld, clang),
        (rust, lld, clang) => {
            setup::install(&setup::Missing {
                rust: rust.is_none().then_some(TARGET),
                lld: lld.is_none(),
                clang: clang.is_none(),
            })?;
            find_again()?
        }
    };
    Ok(Toolchain { rust, lld, clang })
}

fn find_again() -> Result<(Rust, PathBuf, PathBuf)> {
    Ok((
        find_rust_again(TARGET)?,
        lld().context("there is still no linker: neither rust-lld nor lld-link-19")?,
        clang().context("there is still no clang")?,
    ))
}

/// Finds what compiles for `target` alone, or installs it where that is possible.
pub(crate) fn rust_for(target: &'static str) -> Result<Rust> {
    if let Some(rust) = rust(target) {
        return Ok(rust);
    }
    setup::install(&setup::Missing {
        rust: Some(target),
        lld: false,
        clang: false,
    })?;
    find_rust_again(target)
}

fn find_rust_again(target: &str) -> Result<Rust> {
    rust(target).with_context(|| format!("there is still no Rust for {target}"))
}

fn rust(target: &str) -> Option<Rust> {
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
