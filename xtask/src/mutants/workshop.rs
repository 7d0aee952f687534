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
    fn bytes(&self) -> Result<Vec<u8>> {
        fs::read(&self.0).with_context(|| self.0.display().to_string())
    }
}

impl Workshop {
    /// The first one, or another.
    pub(super) fn nth(nth: usize) -> Self {
        Self(Tree::nth(nth))
    }

    /// The driver as it is.
    pub(super) fn control(&self) -> Result<Image> {
        self.0.follow()?;
        self.build("control")
    }

    /// The driver with a bug. One that is the same as without the bug is an error.
    pub(super) fn mutant(&self, patch: &Patch, control: &Image) -> Result<Image> {
        self.plant(patch)?;
        let mutant = self.build(&patch.name)?;
        if mutant.bytes()? == control.bytes()? {
            bail!("{} changes nothing in the driver", patch.path.display());
        }
        Ok(mutant)
    }

    /// The programs in which loom explores what is lock-free, with a bug or as it is.
    pub(super) fn orderings(&self, patch: Option<&Patch>) -> Result<Vec<TestProgram>> {
        match patch {
            Some(patch) => self.plant(patch)?,
            None => self.0.follow()?,
        }
        let built = command::build(loom(&self.0.root).arg("--no-run"))?;
        Ok(built.tests())
    }

    /// Makes the copy what the work tree is, but for one bug.
    fn plant(&self, patch: &Patch) -> Result<()> {
        self.0.follow()?;
        let root = &self.0.root;
        let mut git = Command::new("git");
        git.current_dir(root).arg("apply").arg(&patch.path);
        // The copy is no repository, and is not to be taken for a part of the one around it.
        git.env("GIT_CEILING_DIRECTORIES", root.parent().unwrap_or(root));
        output(&mut git)
            .with_context(|| format!("{} does not apply any more", patch.path.display()))?;
        Ok(())
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
