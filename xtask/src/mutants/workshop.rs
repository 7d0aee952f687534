//! Where the driver is broken: a copy of the work tree.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result, bail};

use super::patch::Patch;
use crate::{
    check::loom,
    command::{self, TestProgram, output},
    pe,
    tree::Tree,
};

pub(super) struct Workshop(Tree);

/// A driver that was built there, with what debuggers want beside it.
#[derive(Clone)]
pub(super) struct Image(pub(super) PathBuf);

impl Image {
    pub(super) fn bytes(&self) -> Result<Vec<u8>> {
        fs::read(&self.0).with_context(|| self.0.display().to_string())
    }
}

impl Workshop {
    /// The first one, or another. What it has is the work tree of now, whatever becomes of that.
    pub(super) fn nth(nth: usize) -> Result<Self> {
        Ok(Self(Tree::nth(nth)?))
    }

    /// The driver as it is, by a name of this workshop's.
    pub(super) fn control(&self) -> Result<Image> {
        let name = self.0.root.file_name().unwrap_or_default();
        self.build(&format!("control-{}", name.display()))
    }

    /// The driver with a bug. One that is the same as without the bug is an error.
    pub(super) fn mutant(&self, patch: &Patch, control: &Image) -> Result<Image> {
        self.with(patch, || {
            let mutant = self.build(&patch.name)?;
            if mutant.bytes()? == control.bytes()? {
                bail!("{} changes nothing in the driver", patch.path.display());
            }
            Ok(mutant)
        })
    }

    /// The programs in which loom explores what is lock-free, as it is.
    pub(super) fn orderings(&self) -> Result<Vec<TestProgram>> {
        let built = command::build(loom(&self.0.root).arg("--no-run"))?;
        Ok(built.tests())
    }

    /// The same with a bug.
    pub(super) fn disordered(&self, patch: &Patch) -> Result<Vec<TestProgram>> {
        self.with(patch, || self.orderings())
    }

    /// Does something while the bug is in the sources.
    fn with<T>(&self, patch: &Patch, something: impl FnOnce() -> Result<T>) -> Result<T> {
        self.apply(patch, &[])
            .with_context(|| format!("{} does not apply any more", patch.path.display()))?;
        let done = something();
        self.apply(patch, &["--reverse"])?;
        done
    }

    fn apply(&self, patch: &Patch, how: &[&str]) -> Result<()> {
        let root = &self.0.root;
        let mut git = Command::new("git");
        git.current_dir(root).arg("apply").args(how);
        // The copy is no repository, and is not to be taken for a part of the one around it.
        git.env("GIT_CEILING_DIRECTORIES", root.parent().unwrap_or(root));
        output(git.arg(&patch.path)).map(drop)
    }

    /// Builds the driver, and copies it to a directory of this name, where the next build leaves it
    /// alone.
    fn build(&self, name: &str) -> Result<Image> {
        let built = self.0.build("driver")?;
        let directory = pe::lab().join("mutants").join(name);
        fs::create_dir_all(&directory).with_context(|| directory.display().to_string())?;
        let kept = directory.join(built.file_name().context("an image is a file")?);
        for extension in ["sys", "pdb", "map"] {
            let from = built.with_extension(extension);
            fs::copy(&from, kept.with_extension(extension))
                .with_context(|| format!("copying {}", from.display()))?;
        }
        Ok(Image(kept))
    }
}
