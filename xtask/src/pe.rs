//! Builds the kernel's programs, ntwatch.sys and wdfldr.sys, on Linux.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::{
    command::{self, Built, workspace},
    kit,
    toolchain::{TARGET, Toolchain, toolchain},
};

/// The directory of all that is built for the lab.
pub(crate) fn lab() -> PathBuf {
    workspace().join("target/lab")
}

/// The driver's package.
pub(crate) const DRIVER: &str = "ntwatch";

/// The package of the framework's stand-in.
pub(crate) const WDFLDR: &str = "wdfldr";

/// What a build of the kernel's programs left behind.
pub(crate) struct Images(Built);

/// Builds the images from their packages, in release with debug information. Always both: alone,
/// each has crates of its own with other features, and what was built for both is of no use.
pub(crate) fn build() -> Result<Images> {
    let toolchain = toolchain()?;
    kit::lay_out(&lab().join("kit"), &toolchain)?;
    let mut cargo = cargo(&toolchain, "build")?;
    cargo.args(["-p", DRIVER, "-p", WDFLDR]);
    Ok(Images(command::build(&mut cargo)?))
}

impl Images {
    /// Puts the image of a package into `target/lab`, and returns its path.
    pub(crate) fn install(&self, package: &str) -> Result<PathBuf> {
        install(&self.0.dynamic_library(package)?)
    }

    /// The directory with the bindings that wdk-sys made of the kit.
    pub(crate) fn bindings(&self) -> Result<PathBuf> {
        self.0.out_dir("wdk-sys")
    }
}

/// Lints both crates with the clippy of the same toolchain.
pub(crate) fn clippy() -> Result<()> {
    let toolchain = toolchain()?;
    kit::lay_out(&lab().join("kit"), &toolchain)?;
    let mut cargo = cargo(&toolchain, "clippy")?;
    cargo.args(["-p", DRIVER, "-p", WDFLDR, "--", "--deny=warnings"]);
    command::run(&mut cargo)
}

/// A cargo command for the images.
fn cargo(toolchain: &Toolchain, subcommand: &str) -> Result<Command> {
    let mut cargo = toolchain.rust.cargo(subcommand, "core,alloc");
    cargo
        .args(["--release", "--target", TARGET, "--target-dir"])
        .arg(lab().join("pe"));
    let wdk_build = workspace().join("lab/wdk/wdk-build");
    set(&mut cargo, "patch.crates-io.wdk-build.path", &wdk_build);
    let linker = workspace().join("lab/wdk/lld-link.sh");
    set(&mut cargo, &format!("target.{TARGET}.linker"), linker);
    cargo.env("NTWATCH_LLD", &toolchain.lld);
    set(&mut cargo, "profile.release.lto", "fat");
    cargo.env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\x1f"));
    without_traces(&mut cargo);
    set(&mut cargo, "resolver.lockfile-path", &lock_file()?);
    cargo.arg("-Zlockfile-path");

    cargo
        .env("WDKContentRoot", lab().join("kit"))
        .env("Version_Number", kit::VERSION);
    // wdk-sys compiles one C file.
    cargo.env("CC_x86_64_pc_windows_msvc", &toolchain.clang);
    cargo.env(
        "CFLAGS_x86_64_pc_windows_msvc",
        format!("--target={TARGET}"),
    );
    toolchain.make_libraries(&mut cargo);
    Ok(cargo)
}

/// Nothing in an image says where it was built. (What the linker would tell of the place,
/// `lld-link.sh` keeps from it.)
fn without_traces(cargo: &mut Command) {
    set(cargo, "profile.release.trim-paths", "object");
    cargo.arg("-Ztrim-paths");
}

/// What drivers need, as in `.cargo/config.toml`; then time stamps that are hashes, and a checksum.
///
/// N.B. What the environment says takes the place of the configurations in all directories above. A
/// copy of the work tree within the work tree has two of ours, whose flags would add up.
const FLAGS: [&str; 3] = [
    "-Ctarget-feature=+crt-static",
    "-Clink-arg=/Brepro",
    "-Clink-arg=/RELEASE",
];

/// Gives cargo a setting, as a literal string of TOML.
fn set(cargo: &mut Command, key: &str, value: impl Into<OsString>) {
    let mut setting = OsString::from(format!("{key}='"));
    setting.push(value.into());
    setting.push("'");
    cargo.arg("--config").arg(setting);
}

/// A copy of the lock file for cargo to note the patch in: the tracked one is the one that Windows
/// uses. N.B. it lies beside the target directory, not above: wdk-build takes the nearest
/// Cargo.lock above its output for the workspace's.
fn lock_file() -> Result<PathBuf> {
    let directory = lab().join("lock");
    let tracked = workspace().join("Cargo.lock");
    let seed = directory.join("seed");
    let copy = directory.join("Cargo.lock");
    fs::create_dir_all(&directory).with_context(|| directory.display().to_string())?;
    let locked = fs::read(&tracked).with_context(|| tracked.display().to_string())?;
    if fs::read(&seed).ok().as_ref() != Some(&locked) {
        fs::write(&copy, &locked).with_context(|| copy.display().to_string())?;
        fs::write(&seed, &locked).with_context(|| seed.display().to_string())?;
    }
    Ok(copy)
}

/// Copies an image to `target/lab` under the name that Windows gives drivers, and what debuggers
/// want beside it.
fn install(library: &Path) -> Result<PathBuf> {
    let name = library.file_stem().context("an image has a name")?;
    let image = lab().join(name).with_extension("sys");
    // Who reads it meanwhile has the old file or the new one, and not a part.
    let copy = |from: &Path, to: &Path| {
        let new = to.with_added_extension("new");
        fs::copy(from, &new)
            .and_then(|_| fs::rename(&new, to))
            .with_context(|| format!("copying {}", from.display()))
    };
    copy(library, &image)?;
    copy(&library.with_extension("pdb"), &image.with_extension("pdb"))?;
    // The linker writes the map where cargo has it write the library: to deps.
    let deps = library.with_file_name("deps").join(name);
    if let map = deps.with_extension("map")
        && map.exists()
    {
        copy(&map, &image.with_extension("map"))?;
    }
    Ok(image)
}
