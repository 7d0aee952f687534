//! Everything that looks for what is wrong with the driver, and one table of what it saw.

use std::{
    env, fmt, fs,
    io::{self, BufRead, BufReader, Write},
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use ntwatch_lab_figures::{self as figures, Figure};

use crate::{
    check::{Lab, loom},
    command::{self, TestProgram, workspace},
    coverage::Blocks,
    emulate, mutants, pe,
    programs::Tests,
};

/// How much to look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// What every run of the tests looks for.
    Short,
    /// All of it.
    Whole,
}

/// Runs every check, though some may fail, and prints the table.
pub(crate) fn run(lab: &Lab, tests: &Tests, depth: Depth) -> Result<()> {
    let mut outcomes = Vec::new();
    for check in checks(lab, tests, depth)? {
        eprintln!("\nxtask: {}", check.name);
        outcomes.push(check.run()?);
    }
    print!("\n{}", Table(&outcomes));
    let failed: Vec<_> = outcomes.iter().filter(|outcome| !outcome.passed).collect();
    for Outcome { name, failures, .. } in &failed {
        eprintln!("\nxtask: of {name} failed");
        failures.iter().for_each(|program| eprintln!("  {program}"));
    }
    match failed.len() {
        0 => Ok(()),
        failed => bail!("{failed} of {} checks failed", outcomes.len()),
    }
}

/// One check: programs that end well if they find nothing wrong.
struct Check {
    name: &'static str,
    commands: Vec<Command>,
}

fn checks(lab: &Lab, tests: &Tests, depth: Depth) -> Result<Vec<Check>> {
    eprintln!("\nxtask: setting up and building what the checks run");
    let began = Instant::now();
    emulate::python()?;
    let orderings = command::build(loom(&workspace()).arg("--no-run"))?.tests();
    let mut orderings: Vec<_> = orderings.iter().map(TestProgram::command).collect();
    if depth == Depth::Short {
        mutants::build()?;
    }
    eprintln!("xtask: built in {}", seconds(began.elapsed()));

    let rules = tests.of_the_kernel();
    let mut suite = tests.suite(depth);
    with(&mut suite, |test| test.env("NTWATCH_VERIFY", "1"));
    let mut faults = tests.check("faults");
    let mut races = tests.check("stress");
    let mut fuzz = tests.hostile_input();
    let mut bugs = task(&["mutants"])?;

    let mut coverage = Vec::new();
    let mut elsewhere = Vec::new();
    match depth {
        Depth::Short => {
            bugs.arg("--short");
            with(&mut orderings, |test| test.env("LOOM_MAX_PREEMPTIONS", "2"));
        }
        Depth::Whole => {
            with(&mut races, |test| test.env("NTWATCH_STRESS_MINUTES", "1"));
            with(&mut fuzz, |test| test.env("NTWATCH_FUZZ_SECONDS", "5"));
            let blocks = Blocks::list(lab)?;
            for commands in [&mut suite, &mut faults, &mut races] {
                with(commands, |test| blocks.note(test));
            }
            coverage.push(("blocks of the driver that ran", vec![blocks.report(lab)]));
            let lines = task(&["coverage", "--sources"])?;
            coverage.push(("lines of its crates that their tests run", vec![lines]));
            let reproducible = task(&["reproducible"])?;
            elsewhere.push(("the same file, built elsewhere", vec![reproducible]));
        }
    }

    let mut checks = vec![
        ("rules stop a driver that breaks them", rules),
        ("the suite, on machines that verify", suite),
        ("faults", faults),
        ("races", races),
    ];
    checks.extend(coverage);
    checks.push(("hostile input", fuzz));
    checks.push(("proofs on the file", tests.proofs()));
    checks.extend(elsewhere);
    checks.push(("an emulator of others", vec![task(&["emulate"])?]));
    checks.push(("orderings, by loom", orderings));
    checks.push(("planted bugs", vec![bugs]));
    let check = |(name, commands)| Check { name, commands };
    Ok(checks.into_iter().map(check).collect())
}

/// Asks each of some programs for more.
fn with(commands: &mut [Command], more: impl Fn(&mut Command) -> &mut Command) {
    for command in commands {
        more(command);
    }
}

/// Another task of this program.
fn task(words: &[&str]) -> Result<Command> {
    let mut task = Command::new(env::current_exe().context("where xtask is")?);
    task.args(words);
    Ok(task)
}

/// What a check has come to.
struct Outcome {
    name: &'static str,
    /// The programs that did not end well, with their environment.
    failures: Vec<String>,
    /// Whether all did, having looked at something.
    passed: bool,
    took: Duration,
    tests: Counts,
    figures: Vec<Figure>,
}

impl Check {
    /// Runs it; what it prints is shown, and counted.
    fn run(mut self) -> Result<Outcome> {
        let figures = Figures::begin()?;
        let started = Instant::now();
        let (mut tests, mut failures) = (Counts::default(), Vec::new());
        for command in &mut self.commands {
            command.env(figures::VARIABLE, &figures.0);
            if !tests.of(command)? {
                failures.push(format!("{command:?}"));
            }
        }
        let figures = figures.end()?;
        Ok(Outcome {
            name: self.name,
            passed: failures.is_empty() && (tests.passed > 0 || !figures.is_empty()),
            failures,
            took: started.elapsed(),
            tests,
            figures,
        })
    }
}

/// The file that a check writes its figures to.
struct Figures(PathBuf);

impl Figures {
    fn begin() -> Result<Figures> {
        let path = pe::lab().join("figures.tsv");
        fs::write(&path, "").with_context(|| path.display().to_string())?;
        Ok(Figures(path))
    }

    fn end(self) -> Result<Vec<Figure>> {
        figures::read(&self.0).with_context(|| self.0.display().to_string())
    }
}

/// How many tests ran, by what the test programs say at their end.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
    /// Not run, since something that they need is absent.
    ignored: u64,
}

impl Counts {
    /// Runs a program, shows what it prints, and adds its tests. Did it end well?
    fn of(&mut self, command: &mut Command) -> Result<bool> {
        let mut program = command
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {:?}", command.get_program()))?;
        let output = program.stdout.take().context("its output is piped")?;
        for line in BufReader::new(output).split(b'\n') {
            let line = line?;
            self.add(&String::from_utf8_lossy(&line));
            let mut shown = io::stdout().lock();
            shown.write_all(&line)?;
            shown.write_all(b"\n")?;
        }
        Ok(program.wait()?.success())
    }

    /// Adds what a line of a test program's says, if it is its last one:
    /// `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
    fn add(&mut self, line: &str) {
        let Some((_, counts)) = line
            .strip_prefix("test result: ")
            .and_then(|result| result.split_once(". "))
        else {
            return;
        };
        for count in counts.split("; ") {
            let Some((number, what)) = count.split_once(' ') else {
                continue;
            };
            let Ok(number) = number.parse::<u64>() else {
                continue;
            };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.passed { "passed" } else { "FAILED" })?;
        if self.tests.failed > 0 {
            write!(f, ", {} tests failed", self.tests.failed)?;
        }
        if self.tests.ignored > 0 {
            write!(f, ", {} tests not run", self.tests.ignored)?;
        }
        Ok(())
    }
}

/// A row for each check, with rows for its figures below.
struct Table<'a>(&'a [Outcome]);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |check: &str, cases: &str, time: &str, result: &str| {
            let line = format!("{check:<52} {cases:>24} {time:>7}  {result}");
            writeln!(f, "{}", line.trim_end())
        };
        row("CHECK", "CASES", "TIME", "RESULT")?;
        let mut all = Duration::ZERO;
        for outcome in self.0 {
            all += outcome.took;
            let cases = match outcome.tests.passed + outcome.tests.failed {
                0 => String::new(),
                tests => format!("{tests} tests"),
            };
            let time = seconds(outcome.took);
            row(outcome.name, &cases, &time, &outcome.to_string())?;
            for Figure { check, cases, of } in &outcome.figures {
                row(&format!("  {check}"), &format!("{cases} {of}"), "", "")?;
            }
        }
        let failed = self.0.iter().any(|outcome| !outcome.passed);
        let result = if failed { "FAILED" } else { "passed" };
        row("all of it, once built", "", &seconds(all), result)
    }
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_counted_over_programs() {
        let mut tests = Counts::default();
        for line in [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.00s",
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
        ] {
            tests.add(line);
        }
        let expected = Counts {
            passed: 4,
            failed: 2,
            ignored: 1,
        };
        assert_eq!(tests, expected);
    }

    #[test]
    fn a_check_that_fails_and_what_was_not_run_are_in_the_table() {
        let figure = Figure {
            check: "calls that fail".to_owned(),
            cases: 71,
            of: "calls".to_owned(),
        };
        let outcome = |name, passed, ignored| Outcome {
            name,
            failures: Vec::new(),
            passed,
            took: Duration::from_secs(3),
            tests: Counts {
                passed: 4,
                failed: u64::from(!passed),
                ignored,
            },
            figures: vec![figure.clone()],
        };
        let outcomes = [outcome("faults", true, 0), outcome("races", false, 2)];
        let table = Table(&outcomes).to_string();
        let lines: Vec<Vec<&str>> = table
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(lines[1].join(" "), "faults 4 tests 3 s passed");
        assert_eq!(lines[2].join(" "), "calls that fail 71 calls");
        let failed = "races 5 tests 3 s FAILED, 1 tests failed, 2 tests not run";
        assert_eq!(lines[3].join(" "), failed);
        assert_eq!(lines[5].join(" "), "all of it, once built 6 s FAILED");
    }
}
