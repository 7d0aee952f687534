//! Which parts of the driver, and of the crates that it is made of, have run.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{
    check::Lab,
    command::{self, cargo, output, run as run_command, workspace},
    pe,
    programs::Tests,
    setup,
    toolchain::in_path,
    verify::Depth,
};

/// The variable that tells nthost where the blocks of images are listed.
const VARIABLE: &str = "NTWATCH_COVERAGE";

/// The crates whose own tests are held to their lines.
const CRATES: &[&str] = &["ntwatch-protocol", "ntwatch-ring", "ntwatch-engine"];

/// Runs the tests that drive the shipped driver, and those of its crates, and says what has run.
pub(crate) fn run(lab: &Lab) -> Result<()> {
    let blocks = Blocks::list(lab)?;
    let tests = Tests::build(lab)?;
    let checks = ["faults", "stress"].into_iter();
    let checks = checks.flat_map(|name| tests.check(name));
    for mut test in tests.suite(Depth::Whole).into_iter().chain(checks) {
        run_command(blocks.note(&mut test))?;
    }
    run_command(&mut blocks.report(lab))?;
    sources(lab)
}

/// The basic blocks of the shipped driver.
pub(crate) struct Blocks {
    directory: PathBuf,
}

impl Blocks {
    /// Lists them; none has run yet.
    pub(crate) fn list(lab: &Lab) -> Result<Self> {
        let directory = empty("blocks")?;
        run_command(program(lab).arg("blocks").arg(&directory))?;
        Ok(Self { directory })
    }

    /// Has the machines of a command note which of them run.
    pub(crate) fn note<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env(VARIABLE, &self.directory)
    }

    /// Says what has run, and names the rest.
    pub(crate) fn report(&self, lab: &Lab) -> Command {
        let mut report = program(lab);
        report.arg("driver").arg(&self.directory);
        report
    }
}

/// Says which lines the crates' own tests run, and names the rest.
pub(crate) fn sources(lab: &Lab) -> Result<()> {
    let llvm = Llvm::find_or_install()?;
    let directory = empty("lines")?;
    let instrumented = |command: &mut Command| {
        command.arg("test").args(["--lib", "--tests"]);
        command.args(CRATES.iter().flat_map(|name| ["-p", name]));
        let compiler = workspace().join("lab/coverage/instrumented");
        command.env("RUSTC_WORKSPACE_WRAPPER", compiler);
        command.env("LLVM_PROFILE_FILE", directory.join("%p-%m.profraw"));
    };
    let mut build = cargo();
    instrumented(&mut build);
    let built = command::build(build.arg("--no-run"))?;
    let programs: Vec<_> = built.tests().into_iter().map(|test| test.path).collect();
    let mut tests = cargo();
    instrumented(&mut tests);
    run_command(&mut tests)?;

    let tracefile = directory.join("lcov.info");
    let counted = llvm.tracefile(&directory, &programs)?;
    fs::write(&tracefile, counted).with_context(|| tracefile.display().to_string())?;
    run_command(program(lab).arg("sources").arg(&tracefile))
}

/// The program of `lab/coverage`.
fn program(lab: &Lab) -> Command {
    let mut program = lab.cargo("run");
    program.args(["--quiet", "-p", "ntwatch-lab-coverage", "--"]);
    program
}

/// A directory with nothing in it.
fn empty(name: &str) -> Result<PathBuf> {
    let directory = pe::lab().join("coverage").join(name);
    let context = || directory.display().to_string();
    if directory.exists() {
        fs::remove_dir_all(&directory).with_context(context)?;
    }
    fs::create_dir_all(&directory).with_context(context)?;
    Ok(directory)
}

/// The tools of the LLVM that the compiler has.
struct Llvm {
    profdata: PathBuf,
    cov: PathBuf,
}

impl Llvm {
    fn find_or_install() -> Result<Self> {
        let rustc = output(Command::new("rustc").arg("-vV"))?;
        let version = rustc.lines().find_map(|l| l.strip_prefix("LLVM version: "));
        let major = version.and_then(|version| version.split('.').next());
        let major = major.context("rustc -vV names no LLVM")?;
        if let Some(llvm) = Self::find(major)? {
            return Ok(llvm);
        }
        setup::llvm(major)?;
        Self::find(major)?.with_context(|| format!("there is still no llvm-cov of LLVM {major}"))
    }

    /// Rustup's component `llvm-tools`, else what the system has.
    fn find(major: &str) -> Result<Option<Self>> {
        let libraries = output(Command::new("rustc").args(["--print", "target-libdir"]))?;
        let bundled = Path::new(libraries.trim()).with_file_name("bin");
        let find = |name: &str| {
            let bundled = bundled.join(name);
            let system = || in_path(&format!("{name}-{major}"));
            bundled.exists().then_some(bundled).or_else(system)
        };
        let tools = find("llvm-profdata").zip(find("llvm-cov"));
        Ok(tools.map(|(profdata, cov)| Self { profdata, cov }))
    }

    /// What `programs` have counted into `directory`, in the format of LCOV.
    fn tracefile(&self, directory: &Path, programs: &[PathBuf]) -> Result<String> {
        let Some((first, others)) = programs.split_first() else {
            bail!("cargo built no tests of {CRATES:?}");
        };
        let merged = directory.join("merged.profdata");
        let mut merge = Command::new(&self.profdata);
        merge.args(["merge", "--sparse", "--output"]).arg(&merged);
        for entry in fs::read_dir(directory).with_context(|| directory.display().to_string())? {
            merge.arg(entry?.path());
        }
        run_command(&mut merge)?;
        let mut export = Command::new(&self.cov);
        export.args(["export", "--format=lcov"]);
        export.arg("--instr-profile").arg(&merged).arg(first);
        for program in others {
            export.arg("--object").arg(program);
        }
        output(&mut export)
    }
}
