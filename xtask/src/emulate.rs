//! Has the driver run by somebody else's code: Speakeasy, an emulator from PyPI.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{
    build,
    command::{output, run as run_command, workspace},
    pe, setup,
};

/// Builds the driver and has the emulator run it, then copies of it that are broken.
pub(crate) fn run() -> Result<()> {
    if cfg!(windows) {
        bail!("the emulator runs the driver as the lab builds it, on Linux");
    }
    let driver = build::image("driver")?;
    let room = workspace().join("lab/speakeasy");
    let python = python(&room.join("requirements.txt"))?;
    for mode in [None, Some("--self-test")] {
        let mut emulator = Command::new(&python);
        // No caches among the sources.
        emulator.arg("-B").arg(room.join("run.py")).args(mode);
        run_command(emulator.arg(driver.path("driver")?))?;
    }
    Ok(())
}

/// A Python that has what `requirements` lists, in an environment of its own.
fn python(requirements: &Path) -> Result<PathBuf> {
    let environment = pe::lab().join("speakeasy");
    let python = environment.join("bin/python");
    // Copied when all that it lists is there.
    let installed = environment.join("requirements.txt");
    let wanted = fs::read(requirements).with_context(|| requirements.display().to_string())?;
    if fs::read(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    if output(Command::new("python3").args(["-c", "import ensurepip, venv"])).is_err() {
        let reason = "Python with venv, in which the emulator is installed".to_owned();
        setup::carry_out(&[reason], &setup::apt(&["python3-venv"]))?;
    }
    let mut make = Command::new("python3");
    make.args(["-m", "venv", "--clear"]).arg(&environment);
    run_command(&mut make)?;
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--require-hashes"]);
    run_command(install.arg("--requirement").arg(requirements))?;
    fs::write(&installed, wanted).with_context(|| installed.display().to_string())?;
    Ok(python)
}
