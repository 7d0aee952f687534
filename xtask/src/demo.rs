//! The main job, shown: the driver in the lab, this machine's processes, and the command line.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail};

use crate::{build, nthost::Nthost, toolchain};

/// What to show.
pub(crate) struct Options {
    pub(crate) seconds: u32,
    pub(crate) format: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seconds: 10,
            format: "pretty".to_owned(),
        }
    }
}

const PROGRAM: &str = "int main(void)\n{\n    return 0;\n}\n";

/// Builds, loads the driver, and watches what this machine does for a while.
pub(crate) fn run(options: &Options) -> Result<()> {
    if cfg!(windows) {
        bail!("the demo runs the driver in the lab, which needs Linux; see README.md for Windows");
    }
    let artifacts = build::all()?;
    let mut nthost = Nthost::serve(&artifacts, ["--live"])?;

    let mut watch = Command::new(artifacts.path("ntwatch")?);
    watch.arg("--device").arg(nthost.device());
    watch.args(["watch", "--format", &options.format]);
    watch.args(["--for", &format!("{}s", options.seconds)]);
    let mut watch = watch.spawn().context("cannot start ntwatch")?;

    let program = nthost.scratch.0.join("hello.c");
    fs::write(&program, PROGRAM).with_context(|| program.display().to_string())?;
    let compiler = toolchain::toolchain()?.clang;
    let status = loop {
        if let Some(status) = watch.try_wait()? {
            break status;
        }
        compile(&compiler, &program)?;
        thread::sleep(Duration::from_secs(1));
    };
    if !status.success() {
        bail!("ntwatch failed: {status}");
    }
    nthost.stop()
}

/// Activity to look at: a compiler and what it starts.
fn compile(compiler: &Path, program: &Path) -> Result<()> {
    let mut compile = Command::new(compiler);
    compile
        .arg("-o")
        .arg(program.with_extension("out"))
        .arg(program);
    compile.stdout(Stdio::null()).stderr(Stdio::null());
    compile
        .status()
        .with_context(|| format!("cannot start {}", compiler.display()))?;
    Ok(())
}
