//! Lists the blocks of the driver for nthost, and reports what has run.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};
use ntwatch_lab_coverage::{
    blocks::blocks,
    lcov,
    places::places,
    report::{Item, Report},
};
use ntwatch_lab_figures::tell;
use ntwatch_wdk_check::{image, pe::Image, read};

/// Says what of the product has run.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write the blocks of the driver to DIRECTORY, for nthost to note which of them run
    Blocks {
        /// What NTWATCH_COVERAGE is to name
        directory: PathBuf,
    },
    /// Print what of the driver has run, and name the rest
    Driver {
        /// Where its blocks and hits are
        directory: PathBuf,
    },
    /// Print what of the sources has run, and name the rest
    Sources {
        /// What `llvm-cov export --format=lcov` wrote
        tracefile: PathBuf,
    },
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Blocks { directory } => list(&directory),
        Command::Driver { directory } => report_driver(&directory),
        Command::Sources { tracefile } => report_sources(&tracefile),
    }
}

/// The file in `directory` that has blocks of `driver`, as nthost looks for it.
fn file_of(driver: &Path, directory: &Path, what: &str) -> Result<PathBuf> {
    let name = driver.file_name().context("a driver has a name")?;
    Ok(directory.join(format!("{}.{what}", name.to_string_lossy())))
}

fn list(directory: &Path) -> Result<()> {
    let blocks = blocks(&Image::parse(&read("driver")));
    let mut text = String::new();
    for block in blocks {
        writeln!(text, "{block:x}")?;
    }
    let path = file_of(&image("driver"), directory, "blocks")?;
    fs::write(&path, text).with_context(|| path.display().to_string())
}

fn report_driver(directory: &Path) -> Result<()> {
    let driver = image("driver");
    let blocks = offsets(&file_of(&driver, directory, "blocks")?)?;
    let hits = offsets(&file_of(&driver, directory, "hits")?)?;
    let pdb = driver.with_extension("pdb");
    let places = places(&pdb, &workspace()?, blocks.iter().copied())?;
    let items = blocks.iter().zip(places).map(|(block, place)| Item {
        place,
        ran: hits.contains(block),
    });
    let report = items.collect();
    print(
        "blocks of the shipped driver that ran",
        "blocks",
        &report,
        BLOCKS,
    )
}

fn report_sources(tracefile: &Path) -> Result<()> {
    let text = fs::read_to_string(tracefile).with_context(|| tracefile.display().to_string())?;
    let report = lcov::lines(&text, &workspace()?)?.into_iter().collect();
    let what = "lines of protocol, ring and engine that ran";
    print(what, "lines", &report, LINES)
}

/// How many in a hundred have to have run. Which blocks do depends on races, and some are there for
/// what Windows may do and the lab does not.
const BLOCKS: usize = 75;
const LINES: usize = 95;

/// Prints a report, tells its total, and fails if too little has run.
fn print(what: &str, of: &str, report: &Report, least: usize) -> Result<()> {
    println!("{what}:\n");
    for (name, tally) in report.crates() {
        println!("  {name:<9} {tally}");
    }
    let total = report.total();
    println!("  {:<9} {total}\n\n{}", "all", report.missed());
    tell(what, total.ran as u64, &format!("of {} {of}", total.all));
    ensure!(total.all > 0, "{what}: nothing was counted");
    ensure!(
        100 * total.ran >= least * total.all,
        "{what}: {total}, and it should be {least} %"
    );
    Ok(())
}

fn offsets(path: &Path) -> Result<BTreeSet<u32>> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let offsets = text.lines().map(|line| u32::from_str_radix(line, 16));
    let offsets = offsets.collect::<Result<_, _>>();
    offsets.with_context(|| format!("{}: no list of offsets", path.display()))
}

/// The directory of the workspace, as debug information names it.
fn workspace() -> Result<PathBuf> {
    let room = Path::new(env!("CARGO_MANIFEST_DIR"));
    let workspace = room.ancestors().nth(2).context("a workspace")?;
    Ok(workspace.to_owned())
}
