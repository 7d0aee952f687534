//! A machine of the lab, for as long as a task needs it.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    path::PathBuf,
    process::{self, Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{build::Artifacts, command};

/// How long nthost may take to load the driver.
const STARTUP: Duration = Duration::from_secs(20);

/// A running nthost. It ends with its task, however that ends.
pub(crate) struct Nthost {
    child: Child,
    /// Of its own, for its socket and whatever its task needs.
    pub(crate) scratch: Scratch,
}

impl Nthost {
    /// Has it load the driver and serve, with these arguments besides.
    pub(crate) fn serve<S: AsRef<OsStr>>(
        artifacts: &Artifacts,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<Self> {
        let scratch = Scratch::new()?;
        let mut command = Command::new(artifacts.path("nthost")?);
        command.args(["serve", "--driver"]);
        command.arg(artifacts.path("driver")?).arg("--socket");
        command.arg(scratch.socket()).args(arguments);
        let child = command.stdin(Stdio::null()).spawn();
        let child = child.context("cannot start nthost")?;
        let mut machine = Self { child, scratch };
        machine.wait_for_socket()?;
        Ok(machine)
    }

    fn wait_for_socket(&mut self) -> Result<()> {
        let start = Instant::now();
        while !self.scratch.socket().exists() {
            if let Some(status) = self.child.try_wait()? {
                bail!("nthost ended before it served: {status}");
            }
            if start.elapsed() > STARTUP {
                bail!("nthost did not serve within {} seconds", STARTUP.as_secs());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// What a client passes as `--device`.
    pub(crate) fn device(&self) -> OsString {
        let mut device = OsString::from("unix:");
        device.push(self.scratch.socket());
        device
    }

    /// Asks it to unload the driver and to end; it says what it found left behind.
    pub(crate) fn stop(&mut self) -> Result<()> {
        let pid = self.child.id().to_string();
        command::run(Command::new("kill").args(["-TERM", &pid]))?;
        self.finish()
    }

    /// Waits until it ends by itself.
    pub(crate) fn finish(&mut self) -> Result<()> {
        let status = self.child.wait()?;
        if !status.success() {
            bail!("nthost failed: {status}");
        }
        Ok(())
    }
}

impl Drop for Nthost {
    fn drop(&mut self) {
        // An error here means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A directory of our own, gone at the end. Short: a socket's path has 107 bytes at most.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    fn new() -> Result<Self> {
        let directory = env::temp_dir().join(format!("ntwatch-{}", process::id()));
        fs::create_dir(&directory).with_context(|| directory.display().to_string())?;
        Ok(Self(directory))
    }

    fn socket(&self) -> PathBuf {
        self.0.join("nthost.sock")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nothing is lost with what cannot be removed here.
        let _ = fs::remove_dir_all(&self.0);
    }
}
