//! Running other programs.

use std::{
    env,
    ffi::OsStr,
    fmt::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The variable that names another workspace to work in: a copy of this program's own.
pub(crate) const COPY: &str = "NTWATCH_WORKSPACE";

/// The directory of the workspace.
pub(crate) fn workspace() -> PathBuf {
    let own = || {
        let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
        xtask.parent().unwrap_or(xtask).to_owned()
    };
    env::var_os(COPY).map_or_else(own, PathBuf::from)
}

/// The cargo that runs this task, to be run in the workspace.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace());
    command
}

/// Runs a command that shows its own progress, and fails if it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot start {}", shown(command)))?;
    if !status.success() {
        bail!("{} failed: {status}", shown(command));
    }
    Ok(())
}

/// Runs a command and returns what it printed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {}", shown(command)))?;
    if !output.status.success() {
        bail!("{} failed: {}", shown(command), output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What a cargo build left behind, from its messages.
pub(crate) struct Built(Vec<Value>);

/// A program of tests.
#[derive(Debug, Clone)]
pub(crate) struct TestProgram {
    pub(crate) name: String,
    /// Are its tests those within a crate, and not beside it?
    pub(crate) within: bool,
    pub(crate) path: PathBuf,
    /// Of its package, where cargo would run it.
    pub(crate) directory: PathBuf,
}

impl TestProgram {
    /// Runs it as cargo would.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.current_dir(&self.directory);
        command
    }
}

/// Runs a cargo build. The command must not ask for a message format.
pub(crate) fn build(command: &mut Command) -> Result<Built> {
    command.arg("--message-format=json-render-diagnostics");
    let messages = output(command)?;
    let messages = messages
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>();
    Ok(Built(messages.context("cargo's messages")?))
}

impl Built {
    /// The executable of the binary target `name`.
    pub(crate) fn executable(&self, name: &str) -> Result<PathBuf> {
        let executables = self
            .0
            .iter()
            .filter(|message| message["target"]["name"] == name);
        let path = executables
            .filter_map(|message| message["executable"].as_str())
            .next();
        path.map(PathBuf::from)
            .with_context(|| format!("cargo built no program {name}"))
    }

    /// The programs of tests.
    pub(crate) fn tests(&self) -> Vec<TestProgram> {
        let is_test = |message: &&Value| message["profile"]["test"] == true;
        let tests = self.0.iter().filter(is_test).filter_map(|message| {
            let manifest = Path::new(message["manifest_path"].as_str()?);
            Some(TestProgram {
                name: message["target"]["name"].as_str()?.to_owned(),
                within: message["target"]["kind"][0] != "test",
                path: message["executable"].as_str()?.into(),
                directory: manifest.parent()?.to_owned(),
            })
        });
        tests.collect()
    }

    /// The dynamic library of the library target `name`.
    pub(crate) fn dynamic_library(&self, name: &str) -> Result<PathBuf> {
        self.0
            .iter()
            .filter(|message| message["target"]["name"] == name)
            .filter_map(|message| message["filenames"].as_array())
            .flatten()
            .filter_map(Value::as_str)
            .map(PathBuf::from)
            .find(|path| path.extension() == Some(OsStr::new("dll")))
            .with_context(|| format!("cargo built no dynamic library {name}"))
    }

    /// The directory that the build script of `package` wrote to.
    pub(crate) fn out_dir(&self, package: &str) -> Result<PathBuf> {
        let id = format!("#{package}@");
        let scripts = self
            .0
            .iter()
            .filter(|message| message["reason"] == "build-script-executed");
        let directory = scripts
            .filter(|message| {
                message["package_id"]
                    .as_str()
                    .is_some_and(|s| s.contains(&id))
            })
            .find_map(|message| message["out_dir"].as_str());
        directory
            .map(PathBuf::from)
            .with_context(|| format!("{package} ran no build script"))
    }
}

/// The command as a shell would show it.
fn shown(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        let _ = write!(line, " {}", argument.to_string_lossy());
    }
    line
}
