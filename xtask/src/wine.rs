//! Runs the programs for Windows on Wine, a Win32 that nobody here wrote.

mod import;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::{
    check::{WINE as CHECKS, packages},
    command::{self, cargo, output},
    pe, setup,
    toolchain::{in_path, toolchain},
    windows,
};

/// Where Debian's package has its programs, which are in nobody's path.
const DEBIAN: &str = "/usr/lib/wine";

/// The oldest Windows that ntwatch is for.
const REPORT_WINDOWS_10: [&str; 8] = [
    "reg",
    "add",
    r"HKCU\Software\Wine",
    "/v",
    "Version",
    "/d",
    "win10",
    "/f",
];

/// Where the program lies on drive C:.
const FOLDER: &str = "ntwatch";

/// Builds all that takes part, and has it run on a Wine whose drive is new.
pub(crate) fn run() -> Result<()> {
    if cfg!(windows) {
        bail!("Wine is for Linux");
    }
    let tools = Tools::find_or_install()?;
    windows::set_up()?;
    toolchain()?;
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
        "wine": wine.tools.wine,
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
    command::run(checks.env("NTWATCH_WINE", &paths))
}

/// Its programs.
#[derive(Clone)]
struct Tools {
    wine: PathBuf,
    server: PathBuf,
}

impl Tools {
    fn find_or_install() -> Result<Self> {
        if let Some(tools) = Self::find() {
            return Ok(tools);
        }
        let reason = "Wine, on which programs for Windows run";
        setup::packages([("wine64", reason)].into_iter())?;
        Self::find().context("there is still no wine64")
    }

    fn find() -> Option<Self> {
        let find = |name: &str| {
            let debian = Path::new(DEBIAN).join(name);
            in_path(name).or_else(|| debian.exists().then_some(debian))
        };
        let (wine, server) = find("wine64").zip(find("wineserver64"))?;
        Some(Self { wine, server })
    }
}

/// Where its drives lie.
fn room(name: &str) -> PathBuf {
    pe::lab().join("wine").join(name)
}

/// A Wine that serves until this is dropped.
struct Wine {
    tools: Tools,
    prefix: PathBuf,
}

impl Wine {
    /// Makes the drive and registry that each one begins with, once.
    fn make(tools: &Tools) -> Result<()> {
        let [pristine, making] = ["pristine", "making"].map(room);
        if pristine.exists() {
            return Ok(());
        }
        remove(&making)?;
        fs::create_dir_all(&making).with_context(|| making.display().to_string())?;
        let wine = Self::serve(tools.clone(), making.clone())?;
        wine.run(&["wineboot", "--init"])?;
        wine.run(&REPORT_WINDOWS_10)?;
        drop(wine);
        fs::rename(&making, &pristine).with_context(|| pristine.display().to_string())
    }

    /// One whose drive and registry are new.
    fn begin(tools: Tools) -> Result<Self> {
        let [pristine, prefix] = ["pristine", "prefix"].map(room);
        remove(&prefix)?;
        let mut copy = Command::new("cp");
        copy.args(["--archive", "--reflink=auto"]);
        output(copy.arg(&pristine).arg(&prefix))?;
        let wine = Self::serve(tools, prefix)?;
        // N.B. what Wine starts beside the first program stays, and holds that one's output open.
        wine.run(&["cmd", "/c", "exit"])?;
        Ok(wine)
    }

    /// N.B. Services stop with the last program, unless the server is told to stay. It goes by itself
    /// when nobody is left to end it.
    fn serve(tools: Tools, prefix: PathBuf) -> Result<Self> {
        let wine = Self { tools, prefix };
        output(wine.server().arg("--persistent=30"))?;
        Ok(wine)
    }

    /// Runs a program of Wine's own, of which nothing is heard but whether it failed.
    fn run(&self, words: &[&str]) -> Result<()> {
        let mut command = Command::new(&self.tools.wine);
        command.envs(self.environment()).env_remove("DISPLAY");
        for set in [Command::stdin, Command::stdout, Command::stderr] {
            set(&mut command, Stdio::null());
        }
        command::run(command.args(words))
    }

    fn server(&self) -> Command {
        let mut command = Command::new(&self.tools.server);
        command.envs(self.environment());
        command
    }

    /// What its programs find it by; quiet, and without what they would download.
    fn environment(&self) -> BTreeMap<&str, OsString> {
        BTreeMap::from([
            ("WINEPREFIX", self.prefix.clone().into()),
            ("WINESERVER", self.tools.server.clone().into()),
            ("WINEARCH", "win64".into()),
            ("WINEDEBUG", "-all".into()),
            ("WINEDLLOVERRIDES", "mscoree=;mshtml=".into()),
        ])
    }

    /// Where its drive C: lies.
    fn drive(&self) -> PathBuf {
        self.prefix.join("drive_c")
    }
}

impl Drop for Wine {
    fn drop(&mut self) {
        // Whatever still runs in this prefix, and nothing else. An error means that nothing did.
        for how in ["--kill", "--wait"] {
            let _ = self.server().arg(how).status();
        }
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("{} to {}", from.display(), to.display()))?;
    Ok(())
}

/// Removes a folder, if it is there.
fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| folder.display().to_string())
        }
        _ => Ok(()),
    }
}
