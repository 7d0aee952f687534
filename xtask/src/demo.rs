//! The main job, shown: the driver in the lab, this machine's processes, and the command line.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{build, command, toolchain};

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

/// How long nthost may take to load the driver.
const STARTUP: Duration = Duration::from_secs(20);

const PROGRAM: &str = "int main(void)\n{\n    return 0;\n}\n";

/// Builds, loads the driver, and watches what this machine does for a while.
pub(crate) fn run(options: &Options) -> Result<()> {
    if cfg!(windows) {
        bail!("the demo runs the driver in the lab, which needs Linux; see README.md for Windows");
    }
    let artifacts = build::all()?;
    let directory = Scratch::new()?;
    let socket = directory.0.join("nthost.sock");
    let mut nthost = Command::new(artifacts.path("nthost")?);
    nthost
        .args(["serve", "--live", "--driver"])
        .arg(artifacts.path("driver")?);
    nthost.arg("--socket").arg(&socket);
    let mut nthost = Server(
        nthost
            .stdin(Stdio::null())
            .spawn()
            .context("cannot start nthost")?,
    );
    nthost.wait_for(&socket)?;

    let mut device = "unix:".to_owned();
    device.push_str(&socket.to_string_lossy());
    let mut watch = Command::new(artifacts.path("ntwatch")?);
    watch.args(["--device", &device, "watch", "--format", &options.format]);
    watch.args(["--for", &format!("{}s", options.seconds)]);
    let mut watch = watch.spawn().context("cannot start ntwatch")?;

    let program = directory.0.join("hello.c");
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

/// A directory of our own, gone at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self> {
        let directory = env::temp_dir().join(format!("ntwatch-demo-{}", process::id()));
        fs::create_dir(&directory).with_context(|| directory.display().to_string())?;
        Ok(Self(directory))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nothing is lost with what cannot be removed here.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The running nthost. It ends with the demo, however that ends.
struct Server(Child);

impl Server {
    fn wait_for(&mut self, socket: &Path) -> Result<()> {
        let start = Instant::now();
        while !socket.exists() {
            if let Some(status) = self.0.try_wait()? {
                bail!("nthost ended before it served: {status}");
            }
            if start.elapsed() > STARTUP {
                bail!("nthost did not serve within {} seconds", STARTUP.as_secs());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Asks it to unload the driver and to end; it says what it found left behind.
    fn stop(&mut self) -> Result<()> {
        command::run(
            Command::new("kill")
                .arg("-TERM")
                .arg(self.0.id().to_string()),
        )?;
        let status = self.0.wait()?;
        if !status.success() {
            bail!("nthost failed: {status}");
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // An error here means that it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
