//! How a test sees that a machine is stopped: in a process of its own.

use std::env;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::thread;

use crate::{Config, Kernel};

const ROLE: &str = "NTHOST_TEST_DIES";

/// Runs `body` on a machine that verifies, in a process of its own, and returns what that printed
/// until it was stopped.
///
/// N.B. Once in a test, and before anything else that it does: the other process runs the test
/// again, up to the first of these.
///
/// # Panics
/// When it was not.
pub(crate) fn of(body: impl FnOnce()) -> String {
    let test = thread::current();
    let test = test.name().expect("a test's thread has its name");
    if env::var_os(ROLE).is_some() {
        let kernel = Kernel::boot(Config {
            verify: true,
            ..Config::default()
        });
        kernel.enter(&kernel.ps.system, body);
        std::process::exit(0);
    }
    let output = Command::new(env::current_exe().expect("a test has a file"))
        .args(["--exact", test, "--nocapture"])
        .env(ROLE, "1")
        .output()
        .expect("a test can be run");
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        output.status.signal(),
        Some(libc::SIGABRT),
        "the machine goes on: {printed}"
    );
    printed
}
