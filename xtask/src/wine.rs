//! Runs driver and client on Wine, a Win32 that nobody here wrote.

mod import;
mod server;

use std::{collections::BTreeMap, fs, path::Path, thread};

use anyhow::{Context, Result};
use serde_json::json;

use crate::{
    check::{WINE as CHECKS, packages},
    command::{self, cargo},
    pe,
    setup::{self, Missing},
    toolchain, windows,
};
use server::{Tools, Wine};

/// Where the programs and the driver lie on drive C:.
const FOLDER: &str = "ntwatch";

/// What it takes, and is not there.
pub(crate) fn missing() -> Missing {
    let built = toolchain::missing().and(windows::missing());
    built.and(Tools::missing())
}

/// Builds all that takes part, and has it run on a Wine whose drive is new.
pub(crate) fn run() -> Result<()> {
    toolchain::check_host()?;
    setup::install(missing)?;
    let tools = Tools::get()?;
    let _alone = server::alone()?;
    // Wine makes its drive meanwhile, which is mostly waiting.
    let (programs, images) = thread::scope(|scope| {
        let made = scope.spawn(|| Wine::make(&tools));
        let built = (windows::build(), pe::build());
        made.join().expect("xtask does not panic")?;
        anyhow::Ok((built.0?, built.1?))
    })?;
    let wine = Wine::begin(tools)?;
    let drive = wine.drive();
    let folder = drive.join(FOLDER);
    let system = drive.join("windows/system32");
    let drivers = system.join("drivers");
    fs::create_dir(&folder).with_context(|| folder.display().to_string())?;
    copy(&programs.client, &folder.join("ntwatch.exe"))?;
    copy(&programs.hand, &folder.join("hand.exe"))?;
    copy(&programs.newdev, &folder.join("newdev.dll"))?;
    copy(&programs.prng, &system.join("bcryptprimitives.dll"))?;
    copy(&programs.shim, &drivers.join(import::SHIM))?;
    let driver = (images.install(pe::DRIVER)?, folder.join("ntwatch.sys"));
    let wdfldr = (images.install(pe::WDFLDR)?, drivers.join("wdfldr.sys"));
    for (image, copy) in [&driver, &wdfldr] {
        import::copy(image, copy)?;
    }
    let paths = pe::lab().join("wine.json");
    let environment = wine.environment().into_iter();
    let environment = environment.map(|(name, value)| (name, value.to_string_lossy().into_owned()));
    let described = json!({
        "wine": wine.program(),
        "environment": environment.collect::<BTreeMap<_, _>>(),
        "drive": drive,
        "exe": format!(r"C:\{FOLDER}\ntwatch.exe"),
        "hand": format!(r"C:\{FOLDER}\hand.exe"),
        "driver": driver.1,
        "images": [driver, wdfldr],
        "shim": drivers.join(import::SHIM),
        "kernel": system.join("ntoskrnl.exe"),
    });
    fs::write(&paths, described.to_string()).with_context(|| paths.display().to_string())?;
    let mut checks = cargo();
    checks.args(["test", "--quiet"]).args(packages(CHECKS));
    command::run(checks.env("NTWATCH_WINE", &paths))?;
    wine.end()
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("{} to {}", from.display(), to.display()))?;
    Ok(())
}
