//! Tests, lints and benchmarks.

use std::fs;

use anyhow::{Context, Result};

use crate::{
    build,
    command::{cargo, run, workspace},
    pe,
};

/// The crates that do not need the lab.
const PORTABLE: &[&str] = &[
    "ntwatch-protocol",
    "ntwatch-ring",
    "ntwatch-engine",
    "ntwatch-client",
    "xtask",
];

/// Builds everything and runs every test.
pub(crate) fn test() -> Result<()> {
    let artifacts = build::all()?;
    let Some(bindings) = &artifacts.bindings else {
        return run(cargo().arg("test").args(packages(PORTABLE)));
    };
    let lab = pe::lab().join("lab.json");
    fs::write(&lab, artifacts.json()).with_context(|| lab.display().to_string())?;
    run(cargo().arg("test").env("NTWATCH_LAB", &lab))?;
    // The kit and the images, against what Microsoft's headers and metadata say.
    run(cargo()
        .args(["test", "-p", "ntwatch-wdk-check"])
        .env("NTWATCH_LAB", &lab)
        .env("NTWATCH_WDK_BINDINGS", bindings))
}

/// Lints every crate.
pub(crate) fn clippy() -> Result<()> {
    let mut host = cargo();
    host.args(["clippy", "--all-targets"]);
    if cfg!(windows) {
        host.args(packages(PORTABLE)).args(["-p", "ntwatch"]);
    }
    run(host.args(["--", "--deny=warnings"]))?;
    if cfg!(windows) {
        return Ok(());
    }
    pe::clippy()?;
    let wdk_build = workspace().join("lab/wdk/wdk-build/Cargo.toml");
    let mut wdk_build_clippy = cargo();
    wdk_build_clippy
        .arg("clippy")
        .arg("--manifest-path")
        .arg(wdk_build);
    wdk_build_clippy
        .arg("--target-dir")
        .arg(pe::lab().join("wdk-build"));
    run(wdk_build_clippy.args(["--", "--deny=warnings"]))
}

/// Runs the benchmarks.
pub(crate) fn bench() -> Result<()> {
    run(cargo().args(["bench", "-p", "ntwatch-benches"]))
}

fn packages<'a>(names: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    names.iter().flat_map(|name| ["-p", name])
}
