//! The built lab and its two programs, run as a user would.

use serde::Deserialize;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// How long anything here may take before it counts as hung. No test measures time by it.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The variable of the environment that has every machine of these tests verify.
pub const VERIFY: &str = "NTWATCH_VERIFY";

/// Is [`VERIFY`] set?
#[must_use]
pub fn verifies() -> bool {
    std::env::var_os(VERIFY).is_some()
}

/// So many of something that takes long, or a tenth of them on machines that verify: there each
/// call of the driver's takes many times as long.
#[must_use]
pub fn long(count: u64) -> u64 {
    if verifies() { count / 10 } else { count }
}

/// Looks again and again until there is something to see.
///
/// # Panics
/// With `what` was waited for, when [`PATIENCE`] is over.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    until_done(what, || look().ok_or(0))
}

/// As [`until`], for what takes as long as the machine is slow: until then `look` says how far it
/// has come, and patience begins anew whenever that is another number.
///
/// # Panics
/// With `what` was waited for, when [`PATIENCE`] is over.
pub fn until_done<T>(what: &str, mut look: impl FnMut() -> Result<T, u64>) -> T {
    let (mut began, mut last) = (Instant::now(), 0);
    loop {
        let come = match look() {
            Ok(seen) => return seen,
            Err(come) => come,
        };
        if come != last {
            (began, last) = (Instant::now(), come);
        }
        assert!(
            began.elapsed() < PATIENCE,
            "waited {PATIENCE:?} in vain for {what}"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// What `cargo xtask build --json` has built.
#[derive(Clone, Debug, Deserialize)]
pub struct Lab {
    /// `ntwatch.sys`.
    pub driver: PathBuf,
    /// `wdfldr.sys`, the stand-in for KMDF.
    pub wdfldr: PathBuf,
    /// The modelled kernel.
    pub nthost: PathBuf,
    /// The client.
    pub ntwatch: PathBuf,
}

impl Lab {
    /// The lab that `cargo xtask test` has named in `NTWATCH_LAB`.
    ///
    /// # Panics
    /// When there is none: these tests run the shipped files or fail.
    #[must_use]
    pub fn get() -> Self {
        let paths = std::env::var_os("NTWATCH_LAB")
            .expect("NTWATCH_LAB is not set: run these tests with `cargo xtask test`");
        let json = std::fs::read_to_string(&paths)
            .unwrap_or_else(|e| panic!("cannot read {}: {e}", paths.display()));
        serde_json::from_str(&json)
            .unwrap_or_else(|e| panic!("{} is not a lab: {e}", paths.display()))
    }

    /// Starts `nthost serve` with the shipped driver and waits for its socket. With
    /// [`NTWATCH_VERIFY`](VERIFY) in the environment it holds the driver to the rules.
    ///
    /// # Panics
    /// When it ends or says nothing before the socket is there.
    #[must_use]
    pub fn serve<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Machine {
        let dir = tempfile::tempdir().expect("a directory for the socket");
        let socket = dir.path().join("n.sock");
        let log = dir.path().join("nthost.log");
        let mut command = Command::new(&self.nthost);
        command
            .arg("serve")
            .arg("--driver")
            .arg(&self.driver)
            .arg("--socket")
            .arg(&socket);
        if verifies() {
            command.arg("--verify");
        }
        command.args(args).stdin(Stdio::null());
        let out = std::fs::File::create(&log).expect("a log");
        command.stdout(out.try_clone().expect("a log")).stderr(out);
        let mut child = command.spawn().expect("nthost starts");
        let started = Instant::now();
        while !socket.exists() {
            let ended = child.try_wait().expect("nthost can be waited for");
            let hung = started.elapsed() > PATIENCE;
            if ended.is_some() || hung {
                let _ = child.kill();
                panic!("nthost made no socket:\n{}", read(&log));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Machine {
            child,
            socket,
            log,
            _dir: dir,
        }
    }

    /// `ntwatch` with these arguments, against a device or none.
    #[must_use]
    pub fn ntwatch<S: AsRef<OsStr>>(
        &self,
        device: Option<&str>,
        args: impl IntoIterator<Item = S>,
    ) -> Command {
        let mut command = Command::new(&self.ntwatch);
        if let Some(device) = device {
            command.arg("--device").arg(device);
        }
        command.args(args).stdin(Stdio::null());
        command
    }
}

/// A running `nthost serve`.
#[derive(Debug)]
pub struct Machine {
    child: Child,
    socket: PathBuf,
    log: PathBuf,
    _dir: tempfile::TempDir,
}

impl Machine {
    /// What a client passes as `--device`.
    #[must_use]
    pub fn device(&self) -> String {
        format!("unix:{}", self.socket.display())
    }

    /// Where it listens.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Waits for the end that `--exit-when-done` brings. Gives whether nthost found the driver
    /// gone without a trace, and all that it printed.
    ///
    /// # Panics
    /// When it does not end.
    #[must_use]
    pub fn finish(mut self) -> (bool, String) {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("nthost can be waited for") {
                return (status.success(), read(&self.log));
            }
            assert!(
                started.elapsed() < PATIENCE,
                "nthost hangs:\n{}",
                read(&self.log)
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Asks it to stop, as Ctrl+C would, and waits as [`Machine::finish`] does.
    ///
    /// # Panics
    /// When it does not end.
    #[must_use]
    pub fn stop(self) -> (bool, String) {
        let pid = self.child.id().to_string();
        let killed = Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .expect("kill runs");
        assert!(
            killed.success(),
            "nthost was gone before it was stopped:\n{}",
            read(&self.log)
        );
        self.finish()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // After a failed assertion it may still run.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(log: &Path) -> String {
    std::fs::read_to_string(log).unwrap_or_default()
}

/// Standard output as text.
///
/// # Panics
/// When it is no UTF-8.
#[must_use]
pub fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("standard output is UTF-8")
}

/// Standard error as text.
///
/// # Panics
/// When it is no UTF-8.
#[must_use]
pub fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("standard error is UTF-8")
}
