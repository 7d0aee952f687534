//! Runs driver and client on Wine, a Win32 that nobody here wrote.

mod import;
mod machine;
mod server;

use std::{fs, thread};

use anyhow::{Context, Result};
use serde_json::json;

use crate::{
    check::{WINE as CHECKS, packages},
    command::{self, cargo},
    pe,
    setup::{self, Missing},
    toolchain, windows,
};
use machine::{Machine, Parts};
use server::{Tools, Wine};

/// On each goes on one test. One machine leaves two processors idle half of the time; a fourth gains
/// nothing there.
const MACHINES: [&str; 3] = ["one", "two", "three"];

/// What it takes, and is not there.
pub(crate) fn missing() -> Missing {
    let built = toolchain::missing().and(windows::missing());
    built.and(Tools::missing())
}

/// Builds all that takes part, and has it run on machines of Wine's whose drives are new.
pub(crate) fn run() -> Result<()> {
    toolchain::check_host()?;
    setup::install(missing)?;
    let tools = Tools::get()?;
    let _alone = server::alone()?;
    let checks = || {
        let mut checks = cargo();
        checks.args(["test", "--quiet"]).args(packages(CHECKS));
        checks
    };
    // Wine makes its drive meanwhile, which is mostly waiting; and no build keeps two processors busy to
    // its end. N.B. Nothing is left to be built once machines have begun: one that nobody uses ends.
    let (programs, images) = thread::scope(|scope| {
        let made = scope.spawn(|| Wine::make(&tools));
        let checked = scope.spawn(|| command::run(checks().arg("--no-run")));
        let built = (windows::build(), pe::build());
        made.join().expect("xtask does not panic")?;
        checked.join().expect("xtask does not panic")?;
        anyhow::Ok((built.0?, built.1?))
    })?;
    let parts = Parts {
        programs,
        driver: images.install(pe::DRIVER)?,
        wdfldr: images.install(pe::WDFLDR)?,
    };
    let machines = thread::scope(|scope| {
        let begin = |name| Machine::begin(&tools, name, &parts);
        let begun = MACHINES.map(|name| scope.spawn(move || begin(name)));
        let begun = begun.map(|machine| machine.join().expect("xtask does not panic"));
        begun.into_iter().collect::<Result<Vec<_>>>()
    })?;
    let described: Vec<_> = machines.iter().map(Machine::describe).collect();
    let paths = pe::lab().join("wine.json");
    fs::write(&paths, json!(described).to_string()).with_context(|| paths.display().to_string())?;
    let at_once = ["--", "--test-threads", &MACHINES.len().to_string()];
    command::run(checks().args(at_once).env("NTWATCH_WINE", &paths))?;
    thread::scope(|scope| {
        let discard = |machine: Machine| scope.spawn(|| machine.discard());
        let gone: Vec<_> = machines.into_iter().map(discard).collect();
        let mut gone = gone.into_iter();
        gone.try_for_each(|machine| machine.join().expect("xtask does not panic"))
    })?;
    server::leave()
}
