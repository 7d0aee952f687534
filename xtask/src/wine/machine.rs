//! A machine that tests run on.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{
    import,
    server::{Tools, Wine},
};
use crate::windows::Programs;

/// Where the programs and the driver lie on drive C:.
const FOLDER: &str = "ntwatch";

/// All that takes part.
pub(super) struct Parts {
    pub(super) programs: Programs,
    pub(super) driver: PathBuf,
    pub(super) wdfldr: PathBuf,
}

/// A Wine that has it on its drive.
pub(super) struct Machine {
    wine: Wine,
    /// The images as they are shipped, and their copies with the other kernel's name.
    images: [(PathBuf, PathBuf); 2],
    shim: PathBuf,
}

impl Machine {
    /// Starts it, under this name.
    pub(super) fn begin(tools: &Tools, name: &str, parts: &Parts) -> Result<Self> {
        let programs = &parts.programs;
        let wine = Wine::begin(tools, name)?;
        let folder = wine.drive().join(FOLDER);
        let system = wine.system();
        let drivers = system.join("drivers");
        fs::create_dir(&folder).with_context(|| folder.display().to_string())?;
        copy(&programs.client, &folder.join("ntwatch.exe"))?;
        copy(&programs.hand, &folder.join("hand.exe"))?;
        copy(&programs.newdev, &folder.join("newdev.dll"))?;
        copy(&programs.prng, &system.join("bcryptprimitives.dll"))?;
        let shim = drivers.join(import::SHIM);
        copy(&programs.shim, &shim)?;
        let images = [
            (parts.driver.clone(), folder.join("ntwatch.sys")),
            (parts.wdfldr.clone(), drivers.join("wdfldr.sys")),
        ];
        for (shipped, image) in &images {
            copy(shipped, image)?;
            import::change(image)?;
        }
        Ok(Self { wine, images, shim })
    }

    /// What tests have to know of it.
    pub(super) fn describe(&self) -> Value {
        let environment = self.wine.environment().into_iter();
        let environment =
            environment.map(|(name, value)| (name, value.to_string_lossy().into_owned()));
        let words = self.wine.words().iter().map(|word| word.to_string_lossy());
        json!({
            "wine": words.collect::<Vec<_>>(),
            "environment": environment.collect::<BTreeMap<_, _>>(),
            "drive": self.wine.drive(),
            "exe": format!(r"C:\{FOLDER}\ntwatch.exe"),
            "hand": format!(r"C:\{FOLDER}\hand.exe"),
            "driver": self.images[0].1,
            "images": self.images,
            "shim": self.shim,
            "kernel": self.wine.system().join("ntoskrnl.exe"),
        })
    }

    /// Ends it, of which nothing is left.
    pub(super) fn discard(self) -> Result<()> {
        self.wine.discard()
    }
}

/// As a file of its own: Wine's would be other machines', too.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let _ = fs::remove_file(to);
    fs::copy(from, to).with_context(|| format!("{} to {}", from.display(), to.display()))?;
    Ok(())
}
