//! Build, test and show ntwatch: the tasks behind `cargo xtask`.
//!
//! On Linux the driver is built against the kit of `lab/wdk` and runs in the lab. On Windows it
//! is built against the real WDK, and nothing of the lab takes part.

mod build;
mod check;
mod command;
mod coverage;
mod demo;
mod emulate;
mod judge;
mod kit;
mod miri;
mod mutants;
mod nthost;
mod pe;
mod programs;
mod python;
mod reproducible;
mod setup;
mod toolchain;
mod tree;
mod verify;
mod windows;
mod wine;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use lexopt::prelude::*;

const USAGE: &str = "\
Usage: cargo xtask COMMAND

  build [--json] [driver|wdfldr]
                    build the driver and what runs it, or one image for the lab;
                    --json prints where they are
  test              build, then run every test
  verify            run all that looks for what is wrong with the driver, and print a table;
                    `test` runs a shorter form
  coverage [--sources]
                    run the tests, and name what they do not reach in driver and crates,
                    or in the crates alone
  clippy            lint every crate
  bench             run the benchmarks
  stress [--minutes N] [--seed S]
                    have threads race for the driver, round by round: for some minutes from a
                    seed, or the round of a seed alone
  mutants [--short] [NAME...]
                    plant bugs in the driver, one after the other, and see which tests catch them
  reproducible      build the images again, elsewhere: they must be the same
  miri              run the tests of the rings in Miri
  emulate           run the driver in an emulator that is not the lab's
  wine              run driver and client on Wine, a Win32 that nobody here wrote
  judge [NAME...]   have others' tools read what the client writes; `spark` only by name
  demo [--seconds N] [--format pretty|jsonl]
                    build, load the driver in the lab, and watch this machine's processes

On Debian and Ubuntu, what is missing is installed first (as root) or named (otherwise).";

enum Task {
    Build {
        json: bool,
        image: Option<&'static str>,
    },
    Test,
    Verify,
    Coverage {
        sources: bool,
    },
    Clippy,
    Bench,
    Miri,
    Emulate,
    Wine,
    Judge(Vec<String>),
    Reproducible,
    Mutants(mutants::Options),
    Stress(check::Stress),
    Demo(demo::Options),
    Help,
}

fn main() -> ExitCode {
    let task = match parse() {
        Ok(task) => task,
        Err(error) => {
            eprintln!("xtask: {error:#}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(task) {
        Ok(output) => {
            print!("{output}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn parse() -> Result<Task> {
    let mut arguments = lexopt::Parser::from_env();
    let mut task = match arguments.next()? {
        None | Some(Short('h') | Long("help")) => return Ok(Task::Help),
        Some(Value(name)) => match name.to_string_lossy().as_ref() {
            "build" => Task::Build {
                json: false,
                image: None,
            },
            "test" => Task::Test,
            "verify" => Task::Verify,
            "coverage" => Task::Coverage { sources: false },
            "clippy" => Task::Clippy,
            "bench" => Task::Bench,
            "miri" => Task::Miri,
            "emulate" => Task::Emulate,
            "wine" => Task::Wine,
            "judge" => Task::Judge(Vec::new()),
            "reproducible" => Task::Reproducible,
            "mutants" => Task::Mutants(mutants::Options::default()),
            "stress" => Task::Stress(check::Stress::default()),
            "demo" => Task::Demo(demo::Options::default()),
            other => bail!("there is no task {other:?}"),
        },
        Some(other) => return Err(other.unexpected().into()),
    };
    while let Some(argument) = arguments.next()? {
        match (&mut task, argument) {
            (_, Short('h') | Long("help")) => return Ok(Task::Help),
            (Task::Build { json, .. }, Long("json")) => *json = true,
            (Task::Build { image, .. }, Value(name)) if name == "driver" => *image = Some("driver"),
            (Task::Build { image, .. }, Value(name)) if name == "wdfldr" => *image = Some("wdfldr"),
            (Task::Coverage { sources }, Long("sources")) => *sources = true,
            (Task::Judge(names), Value(name)) => names.push(name.string()?),
            (Task::Mutants(options), Long("short")) => options.short = true,
            (Task::Mutants(options), Value(name)) => options.names.push(name.string()?),
            (Task::Stress(options), Long("minutes")) => {
                options.minutes = Some(arguments.value()?.parse().context("--minutes")?);
            }
            (Task::Stress(options), Long("seed")) => {
                options.seed = Some(arguments.value()?.parse().context("--seed")?);
            }
            (Task::Demo(options), Long("seconds")) => {
                options.seconds = arguments.value()?.parse().context("--seconds")?;
            }
            (Task::Demo(options), Long("format")) => {
                options.format = arguments.value()?.string().context("--format")?;
            }
            (_, other) => return Err(other.unexpected().into()),
        }
    }
    Ok(task)
}

/// Runs a task; what it returns belongs on standard output.
fn run(task: Task) -> Result<String> {
    match task {
        Task::Help => return Ok(format!("{USAGE}\n")),
        Task::Build { json, image } => {
            let artifacts = image.map_or_else(build::all, build::image)?;
            return Ok(if json {
                artifacts.json() + "\n"
            } else {
                artifacts.to_string()
            });
        }
        Task::Test => check::test()?,
        Task::Verify => check::verify()?,
        Task::Coverage { sources } => check::coverage(sources)?,
        Task::Clippy => check::clippy()?,
        Task::Bench => check::bench()?,
        Task::Miri => miri::run()?,
        Task::Emulate => emulate::run()?,
        Task::Wine => wine::run()?,
        Task::Judge(names) => judge::run(&names)?,
        Task::Reproducible => reproducible::run()?,
        Task::Mutants(options) => mutants::run(&options)?,
        Task::Stress(options) => check::stress(&options)?,
        Task::Demo(options) => demo::run(&options)?,
    }
    Ok(String::new())
}
