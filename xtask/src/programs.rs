//! The programs of tests, built together once, and which of them belong to what.

use std::{path::PathBuf, process::Command};

use anyhow::Result;

use crate::{
    check::Lab,
    command::{self, TestProgram, workspace},
    verify::Depth,
};

/// Where those are that drive machines.
const MACHINES: &str = "tests";
/// Of those, the ones that are checks of their own, and not of the suite.
const CHECKS: &[&str] = &["faults", "stress"];
/// The ones that are about the client.
const OF_THE_CLIENT: &[&str] = &[
    "bad_input",
    "command_line",
    "conditions",
    "examples",
    "hashes",
    "million",
];
/// The one that replays what was recorded elsewhere: much of the same.
const RECORDINGS: &str = "recordings";
/// Where what drivers run on is.
const KERNEL: &[&str] = &["lab/nthost", "lab/wdfldr"];
/// Where the hostile inputs are.
const FUZZ: &str = "fuzz";
/// Where files are proved to be as they should.
pub(crate) const PROOFS: &str = "lab/wdk/check";

/// All of them.
pub(crate) struct Tests {
    programs: Vec<TestProgram>,
    /// The file that says where the lab is.
    lab: PathBuf,
}

impl Tests {
    pub(crate) fn build(lab: &Lab) -> Result<Self> {
        let built = command::build(lab.tests().arg("--no-run"))?;
        Ok(Self {
            programs: built.tests(),
            lab: lab.paths.clone(),
        })
    }

    /// The programs that are in no check of [`crate::verify`] besides.
    pub(crate) fn alone(&self) -> impl Iterator<Item = Command> {
        self.which(|program| {
            let is_check = [FUZZ, PROOFS].iter().any(|room| program.is_in(room));
            !is_check && !program.is_check()
        })
    }

    /// The tests within the modelled kernel and the framework's stand-in.
    pub(crate) fn of_the_kernel(&self) -> Vec<Command> {
        let is_in = |program: &TestProgram| KERNEL.iter().any(|room| program.is_in(room));
        self.which(|program| program.within && is_in(program))
            .collect()
    }

    /// All that drive a machine, to see the driver, but those that are checks of their own.
    pub(crate) fn suite(&self, depth: Depth) -> Vec<Command> {
        self.which(|program| {
            let replays = program.name == RECORDINGS && depth == Depth::Short;
            program.is_of_the_driver() && !program.is_check() && !replays
        })
        .collect()
    }

    /// The check of this name, of those that drive a machine.
    pub(crate) fn check(&self, name: &str) -> Vec<Command> {
        let is_it = |program: &TestProgram| program.is_in(MACHINES) && program.name == name;
        self.which(is_it).collect()
    }

    pub(crate) fn hostile_input(&self) -> Vec<Command> {
        self.which(|program| program.is_in(FUZZ)).collect()
    }

    pub(crate) fn proofs(&self) -> Vec<Command> {
        self.which(|program| program.is_in(PROOFS)).collect()
    }

    /// The programs that planted bugs have to pass.
    pub(crate) fn of_the_driver(&self) -> Vec<TestProgram> {
        let programs = self.programs.iter();
        let programs = programs.filter(|program| {
            let is_one = [FUZZ, PROOFS].iter().any(|room| program.is_in(room))
                || (program.is_of_the_driver() && program.name != RECORDINGS);
            is_one && !program.within
        });
        programs.cloned().collect()
    }

    fn which(&self, is_meant: impl Fn(&TestProgram) -> bool) -> impl Iterator<Item = Command> {
        let programs = self.programs.iter();
        programs
            .filter(move |program| is_meant(program))
            .map(|program| {
                let mut command = program.command();
                command.env("NTWATCH_LAB", &self.lab);
                command
            })
    }
}

impl TestProgram {
    fn is_in(&self, room: &str) -> bool {
        self.directory == workspace().join(room)
    }

    fn is_of_the_driver(&self) -> bool {
        self.is_in(MACHINES) && !OF_THE_CLIENT.contains(&self.name.as_str())
    }

    fn is_check(&self) -> bool {
        self.is_in(MACHINES) && CHECKS.contains(&self.name.as_str())
    }
}
