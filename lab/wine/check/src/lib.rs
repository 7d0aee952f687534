//! Programs for Windows, run on Wine as a user of a shell there would.

mod client;
mod driver;
mod machine;

pub use client::{Client, Ended};
pub use driver::{Driver, assert_ends};
pub use machine::Machine;

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use std::{fs, thread};

/// A Wine that `cargo xtask wine` has set up.
#[derive(Debug, Deserialize)]
pub struct Wine {
    /// The words of a command that runs a program for Windows.
    wine: Vec<String>,
    /// What it takes from the environment.
    environment: BTreeMap<String, String>,
    /// Where its drive C: lies here.
    drive: PathBuf,
    /// `ntwatch.exe`, by its path there.
    pub exe: String,
    /// `hand.exe`, which does what a user does.
    hand: String,
    /// `ntwatch.sys` as it lies beside `ntwatch.exe`, with another kernel's name in it.
    pub driver: PathBuf,
    /// The images as they are shipped, and their copies with the other kernel's name.
    pub images: Vec<(PathBuf, PathBuf)>,
    /// That other kernel, by its path here.
    pub shim: PathBuf,
    /// Wine's.
    pub kernel: PathBuf,
}

impl Wine {
    /// What comes of `ntwatch.exe` with these words.
    ///
    /// # Panics
    /// When Wine cannot be started.
    #[must_use]
    pub fn ntwatch(&self, words: &[&str]) -> Output {
        self.run(&[&[&*self.exe], words].concat())
    }

    /// What comes of a program of Wine's own, such as `sc` or `reg`, or of another by its path.
    ///
    /// # Panics
    /// When Wine cannot be started.
    #[must_use]
    pub fn run(&self, words: &[&str]) -> Output {
        output(&mut self.words(words))
    }

    fn words(&self, words: &[&str]) -> Command {
        let mut command = self.command();
        let (program, words) = words.split_first().expect("the words of a program");
        // N.B. By its name alone Wine has another program start it.
        command.arg(match program.contains('\\') {
            true => (*program).to_owned(),
            false => format!(r"C:\windows\system32\{program}.exe"),
        });
        command.args(words);
        command
    }

    /// Wine, which wants the words of a program.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.wine[0]);
        command.args(&self.wine[1..]);
        self.set(&mut command);
        command
    }

    /// `ntwatch.exe` with these words, by `hand.exe` with those.
    #[must_use]
    pub fn by_hand(&self, hand: &[&str], words: &[&str]) -> Command {
        let mut command = self.command();
        command.arg(&self.hand).args(hand);
        command.arg(&self.exe).args(words);
        command
    }

    /// `ntwatch.exe` with these words, which a shell understands, on a terminal of so many columns.
    /// What is written to its standard input is typed there.
    #[must_use]
    pub fn on_terminal(&self, columns: u32, words: &str) -> Command {
        let (wine, exe) = (self.wine.join("' '"), &self.exe);
        let line = format!("stty cols {columns} rows 40 && exec '{wine}' '{exe}' {words}");
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        self.set(&mut command);
        command
    }

    /// What comes of `hand.exe` with these words.
    ///
    /// # Panics
    /// When Wine cannot be started.
    #[must_use]
    pub fn hand(&self, words: &[&str]) -> Output {
        self.run(&[&[&*self.hand], words].concat())
    }

    /// The environment of a shell on Windows.
    fn set(&self, command: &mut Command) {
        command.envs(&self.environment);
        for name in ["DISPLAY", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TERM"] {
            command.env_remove(name);
        }
        // Which `script` runs.
        command.env("SHELL", "/bin/sh");
    }

    /// Where a file of drive C: lies here.
    #[must_use]
    pub fn here(&self, file: &str) -> PathBuf {
        self.drive.join(file)
    }

    /// A new folder on drive C:, which is gone in the end.
    ///
    /// # Panics
    /// When it cannot be made, as one of this name is there.
    #[must_use]
    pub fn folder(&self, name: &str) -> Folder {
        let here = self.drive.join(name);
        fs::create_dir(&here).unwrap_or_else(|e| panic!("{}: {e}", here.display()));
        let there = format!(r"C:\{name}");
        Folder { here, there }
    }
}

/// A folder that both systems see.
#[derive(Debug)]
pub struct Folder {
    here: PathBuf,
    there: String,
}

impl Folder {
    /// Its path on Linux.
    #[must_use]
    pub fn here(&self) -> &Path {
        &self.here
    }

    /// The path of a file in it on Wine.
    #[must_use]
    pub fn there(&self, file: &str) -> String {
        format!(r"{}\{file}", self.there)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // The whole drive is made anew for the next run.
        let _ = fs::remove_dir_all(&self.here);
    }
}

/// What comes of a program of [`Wine::command`]'s.
///
/// # Panics
/// When Wine cannot be started.
#[must_use]
pub fn output(command: &mut Command) -> Output {
    let fixed = command.get_program() == "setarch";
    let mut run = || command.output().expect("Wine starts");
    match run() {
        output if never_began(&output) && !fixed => run(),
        output => output,
    }
}

/// N.B. Where Wine's heap lies at random (`setarch` is refused), once in some thousand times a program
/// ends before it begins. What fails of itself does it again.
fn never_began(output: &Output) -> bool {
    output.status.code() == Some(1) && output.stdout.is_empty() && output.stderr.is_empty()
}

/// Text as a program wrote it.
///
/// # Panics
/// When it is no UTF-8.
#[must_use]
pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("the client writes UTF-8")
}

/// How long anything here may take before it counts as hung: a machine that is busy takes much of it,
/// and no test measures time by it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for what there must be.
///
/// # Panics
/// With `what` there is in its place, when it does not come.
pub fn wait(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "{what}");
        thread::sleep(Duration::from_millis(10));
    }
}
