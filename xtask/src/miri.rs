//! Has Miri run the tests of the rings: it sees undefined behaviour that no processor shows.

use std::process::Command;

use anyhow::Result;

use crate::{
    command::{output, run as run_command, workspace},
    setup,
};

/// Miri comes with rustup's nightly toolchain alone.
const TOOLCHAIN: &str = "nightly";

/// Runs those tests of the rings that are short enough for an interpreter.
pub(crate) fn run() -> Result<()> {
    if output(miri().arg("--version")).is_err() {
        let reason = "Miri, which interprets the tests of the rings".to_owned();
        let install = ["rustup", "toolchain", "install", TOOLCHAIN];
        let parts = ["--profile=minimal", "--component=miri,rust-src"];
        setup::carry_out(&[reason], &[[&install[..], &parts].concat()])?;
    }
    let mut test = miri();
    test.args(["test", "-p", "ntwatch-ring"]);
    test.args(["--test", "capture", "--test", "session"]);
    test.arg("--target-dir")
        .arg(workspace().join("target/miri"));
    run_command(test.env("MIRIFLAGS", "-Zmiri-strict-provenance"))
}

fn miri() -> Command {
    let mut miri = Command::new("rustup");
    miri.current_dir(workspace());
    miri.args(["run", TOOLCHAIN, "cargo", "miri"]);
    // What the cargo around this task says of itself.
    for name in ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN"] {
        miri.env_remove(name);
    }
    miri
}
