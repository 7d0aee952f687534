//! Has the driver run by somebody else's code: Speakeasy, an emulator from PyPI.

use std::{path::PathBuf, process::Command};

use anyhow::{Result, bail};

use crate::{
    build,
    command::{run as run_command, workspace},
    python,
};

/// Builds the driver and has the emulator run it, then copies of it that are broken.
pub(crate) fn run() -> Result<()> {
    if cfg!(windows) {
        bail!("the emulator runs the driver as the lab builds it, on Linux");
    }
    let driver = build::image("driver")?;
    let (room, python) = (room(), python()?);
    for mode in [None, Some("--self-test")] {
        let mut emulator = Command::new(&python);
        // No caches among the sources.
        emulator.arg("-B").arg(room.join("run.py")).args(mode);
        run_command(emulator.arg(driver.path("driver")?))?;
    }
    Ok(())
}

/// The Python that has the emulator.
pub(crate) fn python() -> Result<PathBuf> {
    python::with("speakeasy", &room().join("requirements.txt"))
}

fn room() -> PathBuf {
    workspace().join("lab/speakeasy")
}
