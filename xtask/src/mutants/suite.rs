//! The tests, program by program, run with one driver or another.

use std::{
    fmt, fs,
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::patch::{Needs, Patch};
use super::workshop::Image;
use crate::{
    check::Lab,
    command::TestProgram,
    programs::{self, Tests},
};

/// What takes the longest, and comes last of what looks at what the driver does.
const LONG: [&str; 6] = ["mapped", "reload", "storm", "faults", "fuzz", "stress"];

/// Of racing threads: a bug that shows later than this is not one to wait for.
const ROUNDS: &str = "500";

/// What would have the programs look at something else, if who runs this has set it.
const ELSEWHERE: [&str; 3] = [
    "NTWATCH_SEED",
    "NTWATCH_STRESS_MINUTES",
    "NTWATCH_FUZZ_SECONDS",
];

/// A program hangs that takes so much longer than with the driver as it is.
const LONGER: u32 = 5;
/// One of which it is not known how long it takes, or of which more to look at takes longer: that it
/// is not over is then no catch.
const NO_HANG: Duration = Duration::from_secs(600);
/// Even one that took no time.
const AT_LEAST: Duration = Duration::from_secs(10);

pub(super) struct Suite {
    programs: Vec<Program>,
    /// Where things are, by the names that `build --json` has.
    lab: Value,
    /// The driver as it is.
    control: Image,
}

/// A program of tests.
struct Program {
    test: TestProgram,
    /// With the driver as it is, once that has passed.
    took: Option<Duration>,
}

/// What caught a bug.
pub(super) struct Catch {
    pub(super) program: String,
    failure: Failure,
}

impl fmt::Display for Catch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { test, message } = &self.failure;
        write!(f, "{}: {test}: {message}", self.program)
    }
}

impl Suite {
    /// Builds the programs.
    pub(super) fn build(lab: &Lab, control: Image) -> Result<Self> {
        let programs = Tests::build(lab)?.of_the_driver().into_iter();
        let paths = &lab.paths;
        let lab = fs::read_to_string(paths).with_context(|| paths.display().to_string())?;
        let programs = programs.map(|test| Program { test, took: None });
        Ok(Self {
            programs: programs.collect(),
            lab: serde_json::from_str(&lab)?,
            control,
        })
    }

    /// Runs one program after the other until a test fails.
    pub(super) fn catch(&mut self, patch: &Patch, driver: &Image) -> Result<Option<Catch>> {
        let lab = self.lab_with(driver)?;
        let control = self.lab_with(&self.control)?;
        let first = patch.first.as_deref();
        self.programs
            .sort_by_key(|program| (program.turn(first), program.took));
        // The file of a driver that does something wrong may differ in what is no harm: it would be
        // caught for that, and nobody would have seen the wrong.
        let is_asked =
            |program: &&mut Program| !program.is_proof() || patch.needs == Needs::LookAtTheFile;
        for program in self.programs.iter_mut().filter(is_asked) {
            let took = program.control(&control)?;
            let failure = match program.is_proof() {
                true => program.run_to_its_end(&lab)?,
                false => program.run(&lab, AT_LEAST + LONGER * took)?,
            };
            let Some(failure) = failure else { continue };
            if failure.is_hang() {
                // Nor does the machine have too much to do.
                program.took = None;
                let now = program.control(&control)?;
                if now > AT_LEAST + LONGER * took {
                    bail!(
                        "{} takes {now:?} now, and {took:?} before",
                        program.test.name
                    );
                }
            }
            let program = program.test.name.clone();
            return Ok(Some(Catch { program, failure }));
        }
        Ok(None)
    }

    /// Fails if there is no such program as the one that is to go first.
    pub(super) fn knows(&self, patch: &Patch) -> Result<()> {
        match &patch.first {
            Some(first) if !self.programs.iter().any(|p| p.test.name == *first) => {
                bail!("{}: there is no program {first}", patch.path.display())
            }
            _ => Ok(()),
        }
    }

    /// Runs these until a test fails, each for as long as it may take.
    pub(super) fn explore(&self, programs: Vec<TestProgram>) -> Result<Option<Catch>> {
        let lab = self.lab_with(&self.control)?;
        for test in programs {
            let program = Program { test, took: None };
            if let Some(failure) = program.run_to_its_end(&lab)? {
                let program = program.test.name;
                return Ok(Some(Catch { program, failure }));
            }
        }
        Ok(None)
    }

    /// The file that names a driver to the tests. It lies beside the driver, and so does the library
    /// that `nthost serve` looks for there.
    fn lab_with(&self, driver: &Image) -> Result<PathBuf> {
        let mut lab = self.lab.clone();
        let library = Path::new(lab["wdfldr"].as_str().context("the lab has a wdfldr")?);
        let beside = driver.0.with_file_name("wdfldr.sys");
        fs::copy(library, &beside).with_context(|| format!("copying {}", library.display()))?;
        lab["driver"] = driver.0.to_string_lossy().into();
        let path = driver.0.with_file_name("lab.json");
        fs::write(&path, lab.to_string()).with_context(|| path.display().to_string())?;
        Ok(path)
    }
}

impl Program {
    /// Does it look at the file, and not at what the driver does?
    fn is_proof(&self) -> bool {
        self.test.directory.ends_with(programs::PROOFS)
    }

    /// What is known to catch a bug goes first, and of others what is over soon. What a bug does
    /// says more than that the file has it, so that the file is looked at last.
    fn turn(&self, first: Option<&str>) -> usize {
        let name = self.test.name.as_str();
        if first == Some(name) {
            return 0;
        }
        if self.is_proof() {
            return usize::MAX;
        }
        let long = LONG.iter().position(|long| *long == name);
        long.map_or(1, |at| 2 + at)
    }

    /// Runs it with the driver as it is, if that was not done yet. It has to pass, and what it takes
    /// is what it may take a multiple of.
    fn control(&mut self, lab: &Path) -> Result<Duration> {
        if let Some(took) = self.took {
            return Ok(took);
        }
        let began = Instant::now();
        if let Some(Failure { test, message }) = self.run_to_its_end(lab)? {
            let name = &self.test.name;
            bail!("{name}: {test} fails with the driver as it is: {message}");
        }
        let took = began.elapsed();
        eprintln!(
            "xtask: {} passes with the driver as it is, in {:.1} s",
            self.test.name,
            took.as_secs_f32()
        );
        Ok(*self.took.insert(took))
    }

    /// Runs it until a test fails.
    fn run_to_its_end(&self, lab: &Path) -> Result<Option<Failure>> {
        match self.run(lab, NO_HANG)? {
            Some(failure) if failure.is_hang() => {
                bail!("{}: {} is not over", self.test.name, failure.test)
            }
            ended => Ok(ended),
        }
    }

    /// Runs it until a test fails or `limit` is over.
    fn run(&self, lab: &Path, limit: Duration) -> Result<Option<Failure>> {
        let log = lab.with_file_name(&self.test.name).with_extension("log");
        let output = File::create(&log).with_context(|| log.display().to_string())?;
        let errors = output.try_clone()?;
        let mut command = self.test.command();
        command
            // One test after the other, so that it is known which one ends the program.
            .args(["--test-threads=1", "--nocapture"])
            .env("NTWATCH_LAB", lab)
            .env("NTWATCH_VERIFY", "1")
            .env("NTWATCH_STRESS_ROUNDS", ROUNDS)
            .env_remove(ntwatch_lab_figures::VARIABLE)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors);
        for variable in ELSEWHERE {
            command.env_remove(variable);
        }
        let mut running = Running::start(&mut command)?;
        let began = Instant::now();
        loop {
            let ended = running.0.try_wait()?;
            let printed = fs::read(&log).with_context(|| log.display().to_string())?;
            let printed = Printed(&String::from_utf8_lossy(&printed));
            if let Some(failure) = printed.panic() {
                return Ok(Some(failure));
            }
            if let Some(status) = ended {
                return Ok((!status.success()).then(|| printed.end(status)));
            }
            if began.elapsed() > limit {
                return Ok(Some(printed.hang()));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A program that ends when nobody waits for it any more, and whatever it has started with it.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Result<Self> {
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        let child = command.spawn();
        let program = command.get_program().to_string_lossy();
        child
            .map(Self)
            .with_context(|| format!("cannot start {program}"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The whole group: tests start machines. It is gone already when all went well.
        let group = format!("-{}", self.0.id());
        // N.B. the shell's own: not every Debian has the program.
        let mut kill = Command::new("bash");
        kill.args(["-c", "kill -KILL -- \"$0\"", &group]);
        let _ = kill.stderr(Stdio::null()).status();
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What is said of a test that is not over in time.
const HANGS: &str = "hangs";

/// The first test that failed, and why.
#[derive(Debug, PartialEq, Eq)]
struct Failure {
    test: String,
    message: String,
}

/// What a program of tests has printed.
struct Printed<'o>(&'o str);

impl Printed<'_> {
    /// The first panic; a machine that is stopped is one, too.
    fn panic(&self) -> Option<Failure> {
        let mut lines = self.0.split_inclusive('\n');
        let before = lines
            .by_ref()
            .take_while(|line| !line.contains(" panicked at "));
        let test = before.filter_map(test_of).last();
        let mut message = lines.next()?.strip_suffix('\n')?.to_owned();
        if message.ends_with(':') {
            // What it announces.
            message = format!("{message} {}", lines.next()?.strip_suffix('\n')?.trim());
        }
        Some(Failure::new(test, &message))
    }

    /// A program that ended without one.
    fn end(&self, status: ExitStatus) -> Failure {
        let mut lines = self.0.lines();
        let listed = lines.find(|line| line.starts_with("---- "));
        let message = listed.and_then(|_| lines.next()).map(str::to_owned);
        let message = message.unwrap_or_else(|| status.to_string());
        Failure::new(self.last_test(), &message)
    }

    fn hang(&self) -> Failure {
        Failure::new(self.last_test(), HANGS)
    }

    fn last_test(&self) -> Option<&str> {
        self.0.lines().filter_map(test_of).next_back()
    }
}

/// The test that such a line begins.
fn test_of(line: &str) -> Option<&str> {
    let (test, _) = line.strip_prefix("test ")?.split_once(" ... ")?;
    Some(test)
}

impl Failure {
    fn is_hang(&self) -> bool {
        self.message == HANGS
    }

    fn new(test: Option<&str>, message: &str) -> Self {
        Self {
            test: test.unwrap_or("no test").to_owned(),
            message: message.to_owned(),
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    const BEGAN: &str = "running 2 tests\ntest one ... ok\ntest two ... ";

    fn failure(test: &str, message: &str) -> Failure {
        Failure::new(Some(test), message)
    }

    #[test]
    fn the_first_panic_counts_and_is_the_test_s_that_ran() {
        let panics = "\nthread 'main' (7) panicked at tests/two.rs:1:2:\nbug check 0xd5\nnote\n\
                      \nthread 'main' (7) panicked at core:1:2:\ncannot unwind\n";
        let printed = format!("{BEGAN}{panics}");
        let panic = Printed(&printed).panic();
        assert_eq!(panic, Some(failure("two", "bug check 0xd5")));
        // As long as it is being printed it is not known.
        let cut = printed.split("check").next().unwrap();
        assert_eq!(Printed(cut).panic(), None);
    }

    #[test]
    fn without_a_panic_the_last_test_has_failed() {
        assert_eq!(Printed(BEGAN).panic(), None);
        assert_eq!(Printed(BEGAN).hang(), failure("two", "hangs"));
        let killed = ExitStatus::from_raw(11);
        assert_eq!(
            Printed(BEGAN).end(killed),
            failure("two", "signal: 11 (SIGSEGV)")
        );
        let listed = format!("{BEGAN}FAILED\n\nfailures:\n\n---- two ----\nno record\n");
        let failed = ExitStatus::from_raw(1 << 8);
        assert_eq!(Printed(&listed).end(failed), failure("two", "no record"));
    }
}
