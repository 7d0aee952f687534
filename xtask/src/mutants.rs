//! Planted bugs: the proof that whatever looks for bugs can find one.
//!
//! Each patch of `lab/mutants` breaks the driver as people break drivers. The broken driver is built
//! in a copy of the work tree, and the tests run with it, on machines that verify, until one of them
//! fails. What a processor does too seldom to be waited for is left to loom, in the same copy. A
//! program of tests must first pass with the driver as it is, by the same way, or nothing that it
//! says of others means anything.

mod patch;
mod suite;
mod workshop;

use std::{
    fmt,
    sync::{Mutex, PoisonError, mpsc},
    thread,
};

use anyhow::{Context, Result, bail};

use crate::check::Lab;
use patch::{Needs, Patch};
use suite::{Catch, Suite};
use workshop::{Image, Workshop};

/// Which bugs to plant.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// Those that every run of the tests plants.
    pub(crate) short: bool,
    /// Those of these names; without any, all.
    pub(crate) names: Vec<String>,
}

/// Builds the driver as it is where it is going to be broken: all that it needs is built with it.
pub(crate) fn build() -> Result<()> {
    Workshop::nth(0)?.control().map(drop)
}

/// Plants one bug after the other, and fails if one of them is not caught.
pub(crate) fn run(options: &Options) -> Result<()> {
    let patches = chosen(Patch::all()?, options)?;
    let (orderings, patches): (Vec<_>, Vec<_>) = patches
        .into_iter()
        .partition(|patch| patch.needs == Needs::Ordering);
    // A second one has to be built first.
    let workshops = if patches.len() < 10 { 1 } else { 2 };
    let workshops: Vec<_> = (0..workshops).map(Workshop::nth).collect::<Result<_>>()?;
    let control = control(&workshops)?;
    let mut suite = Suite::build(&Lab::build()?, control.clone())?;
    patches.iter().try_for_each(|patch| suite.knows(patch))?;

    let mut rows = Vec::new();
    let mut note = |patch, outcome| {
        let row = Row { patch, outcome };
        eprintln!("{row}");
        rows.push(row);
    };
    let todo = Mutex::new(patches.iter());
    let next = || todo.lock().unwrap_or_else(PoisonError::into_inner).next();
    thread::scope(|scope| {
        // Some are built while others run.
        let (built, mutants) = mpsc::sync_channel(0);
        let (next, control) = (&next, &control);
        for workshop in &workshops {
            let built = built.clone();
            scope.spawn(move || {
                while let Some(patch) = next() {
                    // Nobody asks for more when something is wrong with the tests.
                    if built
                        .send((patch, workshop.mutant(patch, control)))
                        .is_err()
                    {
                        break;
                    }
                }
            });
        }
        drop(built);
        for (patch, mutant) in mutants {
            let run = |mutant| suite.catch(patch, &mutant);
            note(patch, Outcome::of(mutant, run)?);
        }
        Ok::<_, anyhow::Error>(())
    })?;
    if !orderings.is_empty() {
        let as_it_is = workshops[0].orderings()?;
        if let Some(catch) = suite.explore(as_it_is)? {
            bail!("with the driver as it is: {catch}");
        }
    }
    for patch in &orderings {
        let explore = |programs| suite.explore(programs);
        note(patch, Outcome::of(workshops[0].disordered(patch), explore)?);
    }
    rows.sort_by(|a, b| a.patch.name.cmp(&b.patch.name));
    report(&rows)
}

/// The driver as it is. Whichever workshop builds it, it is the same.
fn control(workshops: &[Workshop]) -> Result<Image> {
    let controls = thread::scope(|scope| {
        let building: Vec<_> = workshops
            .iter()
            .map(|workshop| scope.spawn(|| workshop.control()))
            .collect();
        let controls = building.into_iter().map(|building| {
            let built = building.join();
            built.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        controls.collect::<Result<Vec<_>>>()
    })?;
    let (first, others) = controls.split_first().context("there is a workshop")?;
    for other in others {
        if other.bytes()? != first.bytes()? {
            bail!(
                "{} and {} are not the same, though of the same sources",
                first.0.display(),
                other.0.display()
            );
        }
    }
    Ok(first.clone())
}

fn chosen(all: Vec<Patch>, options: &Options) -> Result<Vec<Patch>> {
    let names = &options.names;
    if let Some(unknown) = names
        .iter()
        .find(|name| !all.iter().any(|patch| patch.name == **name))
    {
        bail!("there is no {unknown}.patch in lab/mutants");
    }
    let is_chosen = |patch: &Patch| {
        (names.is_empty() || names.contains(&patch.name)) && (!options.short || patch.short)
    };
    let chosen: Vec<_> = all.into_iter().filter(is_chosen).collect();
    if chosen.is_empty() {
        bail!("no patch in lab/mutants is what was asked for: {options:?}");
    }
    Ok(chosen)
}

fn report(rows: &[Row<'_>]) -> Result<()> {
    println!("\n{:<44} {:<18} caught by", "planted bug", "needs");
    rows.iter().for_each(|row| println!("{row}"));
    let count = |is: fn(&Row<'_>) -> bool| rows.iter().filter(|row| is(row)).count();
    let caught = count(|row| matches!(row.outcome, Outcome::Caught(_)));
    let known = count(|row| matches!(row.outcome, Outcome::Missed) && row.patch.known.is_some());
    println!("{caught} of {} planted bugs are caught", rows.len());
    let all = format!("of {} bugs", rows.len());
    ntwatch_lab_figures::tell("planted bugs that are caught", caught as u64, &all);
    match rows.len() - caught - known {
        0 => Ok(()),
        missed => bail!("{missed} of {} planted bugs are not caught", rows.len()),
    }
}

/// A bug, and what became of it.
struct Row<'p> {
    patch: &'p Patch,
    outcome: Outcome,
}

enum Outcome {
    Caught(Catch),
    Missed,
    NotPlanted(anyhow::Error),
}

impl Outcome {
    /// Of what was made with a bug, by what it does in the tests.
    fn of<M>(made: Result<M>, run: impl FnOnce(M) -> Result<Option<Catch>>) -> Result<Self> {
        Ok(match made {
            Ok(made) => run(made)?.map_or(Self::Missed, Self::Caught),
            Err(error) => Self::NotPlanted(error),
        })
    }
}

impl fmt::Display for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Patch { name, needs, .. } = self.patch;
        write!(f, "{name:<44} {:<18} ", needs.to_string())?;
        match (&self.outcome, &self.patch.known) {
            (Outcome::Caught(catch), _) => {
                catch.fmt(f)?;
                match &self.patch.first {
                    Some(first) if *first != catch.program => write!(f, " (and not by {first})"),
                    _ => Ok(()),
                }
            }
            (Outcome::Missed, Some(why)) => write!(f, "not caught, because {why}"),
            (Outcome::Missed, None) => f.write_str("NOT CAUGHT"),
            (Outcome::NotPlanted(error), _) => write!(f, "NOT PLANTED: {error:#}"),
        }
    }
}
