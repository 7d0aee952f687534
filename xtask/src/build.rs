//! Builds everything, and says where it is.

use std::{fmt, path::PathBuf};

use anyhow::{Context, Result};
use serde_json::{Map, Value};

use crate::{
    command::{self, cargo},
    pe,
};

/// What was built, by the names that `build --json` has.
pub(crate) struct Artifacts {
    paths: Vec<(&'static str, PathBuf)>,
    /// The bindings of the kit, for the tests of the kit.
    pub(crate) bindings: Option<PathBuf>,
}

/// Builds the driver and all that runs it here.
pub(crate) fn all() -> Result<Artifacts> {
    if cfg!(windows) {
        on_windows()
    } else {
        for_the_lab()
    }
}

/// Builds one image for the lab: `driver` or `wdfldr`.
pub(crate) fn image(name: &'static str) -> Result<Artifacts> {
    let package = if name == "driver" {
        pe::DRIVER
    } else {
        pe::WDFLDR
    };
    let image = pe::build()?.install(package)?;
    Ok(Artifacts {
        paths: vec![(name, image)],
        bindings: None,
    })
}

fn for_the_lab() -> Result<Artifacts> {
    let images = pe::build()?;
    let mut programs = cargo();
    programs.args(["build", "--release", "-p", "nthost", "-p", "ntwatch-client"]);
    let programs = command::build(&mut programs)?;
    Ok(Artifacts {
        paths: vec![
            ("driver", images.install(pe::DRIVER)?),
            ("wdfldr", images.install(pe::WDFLDR)?),
            ("nthost", programs.executable("nthost")?),
            ("ntwatch", programs.executable("ntwatch")?),
        ],
        bindings: Some(images.bindings()?),
    })
}

/// The real WDK builds the driver; signing and packaging are tasks of cargo-make (Makefile.toml).
fn on_windows() -> Result<Artifacts> {
    let built = command::build(cargo().args(["build", "--release", "-p", pe::DRIVER]))?;
    let library = built.dynamic_library(pe::DRIVER)?;
    let driver = library.with_extension("sys");
    // The client bears the same name, and its build would take the place of the driver's PDB.
    let symbols = library.with_extension("pdb");
    for (from, to) in [
        (&library, &driver),
        (&symbols, &driver.with_extension("sys.pdb")),
    ] {
        std::fs::copy(from, to).with_context(|| format!("copying {}", from.display()))?;
    }
    let built = command::build(cargo().args(["build", "--release", "-p", "ntwatch-client"]))?;
    let paths = vec![
        ("driver", driver),
        ("ntwatch", built.executable("ntwatch")?),
    ];
    Ok(Artifacts {
        paths,
        bindings: None,
    })
}

impl Artifacts {
    /// The path of one artifact.
    pub(crate) fn path(&self, name: &str) -> Result<&PathBuf> {
        let path = self.paths.iter().find(|(artifact, _)| *artifact == name);
        path.map(|(_, path)| path)
            .with_context(|| format!("{name} is not built on this system"))
    }

    /// The paths as one JSON object.
    pub(crate) fn json(&self) -> String {
        let paths = self.paths.iter();
        let object: Map<String, Value> = paths
            .map(|(name, path)| ((*name).into(), path.to_string_lossy().into()))
            .collect();
        Value::Object(object).to_string()
    }
}

impl fmt::Display for Artifacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut paths = self.paths.iter();
        paths.try_for_each(|(name, path)| writeln!(f, "{name:<8} {}", path.display()))
    }
}
