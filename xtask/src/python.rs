//! Tools from PyPI, each with a Python environment of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::{
    command::{output, run},
    pe,
    setup::{self, Missing},
};

/// Fails without a word where there is none.
const HAS_VENV: &str = "from importlib.util import find_spec as has; \
     exit(not (has('ensurepip') and has('venv')))";

/// What makes environments, and is not there.
pub(crate) fn missing() -> Missing {
    let reason = "Python with venv, in which tools from PyPI are installed";
    let venv = output(Command::new("python3").args(["-c", HAS_VENV]));
    Missing::default().package("python3-venv", reason, venv.is_ok())
}

/// A Python that has what `requirements` lists, with hashes, in an environment of this name.
pub(crate) fn with(name: &str, requirements: &Path) -> Result<PathBuf> {
    let environment = pe::lab().join("python").join(name);
    let python = environment.join("bin/python");
    // Copied when all that it lists is there.
    let installed = environment.join("requirements.txt");
    let wanted = fs::read(requirements).with_context(|| requirements.display().to_string())?;
    if fs::read(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    setup::install(missing)?;
    let mut make = Command::new("python3");
    make.args(["-m", "venv", "--clear"]).arg(&environment);
    run(&mut make)?;
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--require-hashes"]);
    run(install.arg("--requirement").arg(requirements))?;
    fs::write(&installed, wanted).with_context(|| installed.display().to_string())?;
    Ok(python)
}
