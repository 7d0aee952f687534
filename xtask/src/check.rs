//! Tests, lints and benchmarks.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{
    build,
    command::{cargo, run, workspace},
    coverage, judge, pe,
    programs::Tests,
    python, setup, toolchain,
    verify::{self, Depth},
    windows, wine,
};

/// The crates that do not need the lab.
const PORTABLE: &[&str] = &[
    "ntwatch-protocol",
    "ntwatch-ring",
    "ntwatch-engine",
    "ntwatch-client",
    "xtask",
];

/// The lab's own crates, for Linux.
const LAB: &[&str] = &["nthost", "ntwatch-lab-figures", "ntwatch-lab-link"];

/// Crates of the lab that are not default members: one is built for Windows, too; one holds the kit
/// and the images to what Microsoft says and needs both, and one builds upon that.
const APART: &[&str] = &["wdfldr", "ntwatch-wdk-check", "ntwatch-lab-coverage"];

/// What runs the programs for Windows on Wine.
pub(crate) const WINE: &[&str] = &["ntwatch-wine-check"];

const BENCHES: &str = "ntwatch-benches";
const TESTS: &str = "ntwatch-tests";
const FUZZ: &str = "ntwatch-fuzz";

/// Builds everything and runs every test.
pub(crate) fn test() -> Result<()> {
    if cfg!(windows) {
        build::all()?;
        run(cargo().arg("test").args(packages(PORTABLE)))?;
        return run(&mut loom(&workspace()));
    }
    toolchain::check_host()?;
    // At once, so that who cannot is told at once what to install.
    setup::install(|| {
        let tools = setup::test_tools().and(python::missing());
        tools.and(wine::missing())
    })?;
    let lab = Lab::build()?;
    let tests = Tests::build(&lab)?;
    let failed = tests.alone().filter_map(|mut test| run(&mut test).err());
    let failed: Vec<_> = failed.map(|error| format!("{error:#}")).collect();
    // What stands in documentation is built by itself.
    run(lab.tests().arg("--doc"))?;
    if !failed.is_empty() {
        bail!("{}", failed.join("\n"));
    }
    judge::run(&[])?;
    wine::run()?;
    verify::run(&lab, &tests, Depth::Short)
}

/// Builds everything and verifies the driver.
pub(crate) fn verify() -> Result<()> {
    let lab = Lab::build()?;
    verify::run(&lab, &Tests::build(&lab)?, Depth::Whole)
}

/// Builds everything and finds out what the tests reach, in the driver too or in `sources` alone.
pub(crate) fn coverage(sources: bool) -> Result<()> {
    let lab = Lab::build()?;
    if sources {
        coverage::sources(&lab)
    } else {
        coverage::run(&lab)
    }
}

/// Explores the orderings of what is lock-free in the workspace at `root`: a build of its own, with
/// loom's atomics. N.B. To cargo a copy of a workspace is the workspace: they may share no target
/// directory.
pub(crate) fn loom(root: &Path) -> Command {
    let mut loom = cargo();
    loom.current_dir(root);
    loom.args(["test", "--release", "--test", "loom"]);
    loom.args(packages(&["ntwatch-ring", "ntwatch-engine"]));
    loom.arg("--target-dir").arg(root.join("target/loom"));
    loom.env("RUSTFLAGS", "--cfg loom");
    loom
}

/// Lints every crate.
pub(crate) fn clippy() -> Result<()> {
    const STRICT: [&str; 2] = ["--", "--deny=warnings"];
    if cfg!(windows) {
        let mut host = cargo();
        host.args(["clippy", "--all-targets"])
            .args(packages(PORTABLE));
        return run(host.args(["-p", pe::DRIVER]).args(STRICT));
    }
    toolchain::check_host()?;
    setup::install(|| toolchain::missing().and(windows::missing()))?;
    pe::clippy()?;
    windows::clippy()?;
    let lab = Lab::build()?;
    run(lab.cargo("clippy").arg("--all-targets").args(STRICT))?;
    run(lab
        .cargo("clippy")
        .arg("--all-targets")
        .args(packages(APART))
        .args(packages(WINE))
        .args(STRICT))?;
    library(&STRICT)?;
    let mut wdk_build = cargo();
    wdk_build
        .arg("clippy")
        .arg("--target-dir")
        .arg(pe::lab().join("wdk-build"));
    wdk_build
        .arg("--manifest-path")
        .arg(workspace().join("lab/wdk/wdk-build/Cargo.toml"));
    run(wdk_build.args(STRICT))
}

/// Lints the client's library as others use it, without the command line, and its documentation.
fn library(strict: &[&str]) -> Result<()> {
    const LIBRARY: [&str; 2] = ["-p", "ntwatch-client"];
    let mut alone = cargo();
    alone.arg("clippy").args(LIBRARY);
    run(alone.arg("--no-default-features").args(strict))?;
    let mut pages = cargo();
    pages.args(["doc", "--no-deps", "--all-features"]);
    run(pages.args(LIBRARY).env("RUSTDOCFLAGS", "--deny=warnings"))
}

/// The lab as tests find it.
pub(crate) struct Lab {
    /// The file with the paths of all that is built.
    pub(crate) paths: PathBuf,
    bindings: PathBuf,
}

impl Lab {
    pub(crate) fn build() -> Result<Self> {
        let artifacts = build::all()?;
        let paths = pe::lab().join("lab.json");
        fs::write(&paths, artifacts.json()).with_context(|| paths.display().to_string())?;
        let bindings = artifacts.bindings.context("the lab is for Linux")?;
        Ok(Self { paths, bindings })
    }

    pub(crate) fn cargo(&self, subcommand: &str) -> Command {
        let mut cargo = cargo();
        cargo.arg(subcommand).env("NTWATCH_LAB", &self.paths);
        cargo.env("NTWATCH_WDK_BINDINGS", &self.bindings);
        cargo
    }

    /// Builds tests of all that is tested here, whatever is run of them: cargo would build what they
    /// depend on anew for each other set of packages.
    pub(crate) fn tests(&self) -> Command {
        let mut tests = self.cargo("test");
        for set in [PORTABLE, LAB, APART, &[TESTS, FUZZ]] {
            tests.args(packages(set));
        }
        tests
    }
}

/// Which rounds of racing threads to run.
#[derive(Default)]
pub(crate) struct Stress {
    /// For how long; without it, a round that is named alone, or a minute of rounds.
    pub(crate) minutes: Option<u64>,
    /// The first one.
    pub(crate) seed: Option<u64>,
}

/// Has threads race for the driver.
pub(crate) fn stress(options: &Stress) -> Result<()> {
    let mut stress = Lab::build()?.cargo("test");
    stress.args(["-p", TESTS, "--test", "stress"]);
    if let Some(seed) = options.seed {
        stress.env("NTWATCH_SEED", seed.to_string());
    }
    let minutes = options.minutes.or(options.seed.is_none().then_some(1));
    if let Some(minutes) = minutes {
        stress.env("NTWATCH_STRESS_MINUTES", minutes.to_string());
    }
    run(&mut stress)
}

/// Runs the benchmarks.
pub(crate) fn bench() -> Result<()> {
    run(Lab::build()?.cargo("bench").args(["-p", BENCHES]))
}

pub(crate) fn packages<'a>(names: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    names.iter().flat_map(|name| ["-p", name])
}
