//! A copy of the work tree, in which the driver is broken and built.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use super::patch::Patch;
use crate::{
    check::loom,
    command::{self, TestProgram, cargo, output, workspace},
    pe,
};

/// The copy. It keeps its target directory from run to run.
pub(super) struct Tree {
    /// Of all that is kept here.
    directory: PathBuf,
    root: PathBuf,
}

/// A driver that was built there, with what debuggers want beside it.
#[derive(Clone)]
pub(super) struct Image(pub(super) PathBuf);

impl Image {
    const NAME: &str = "ntwatch.sys";

    fn bytes(&self) -> Result<Vec<u8>> {
        fs::read(&self.0).with_context(|| self.0.display().to_string())
    }
}

impl Tree {
    /// The first copy, or another one.
    pub(super) fn nth(nth: usize) -> Self {
        let directory = pe::lab().join("mutants");
        let root = directory.join(format!("tree-{nth}"));
        Self { directory, root }
    }

    /// The driver with a bug, in a directory with the bug's name. One that is the same as without
    /// the bug is an error.
    pub(super) fn mutant(&self, patch: &Patch, control: &Image) -> Result<Image> {
        let mutant = self.build(Some(patch))?;
        if mutant.bytes()? == control.bytes()? {
            bail!("{} changes nothing in the driver", patch.path.display());
        }
        Ok(mutant)
    }

    /// The programs in which loom explores what is lock-free, with a bug or as it is.
    pub(super) fn orderings(&self, patch: Option<&Patch>) -> Result<Vec<TestProgram>> {
        self.follow()?;
        if let Some(patch) = patch {
            self.apply(patch)?;
        }
        let built = command::build(loom(&self.root).arg("--no-run"))?;
        Ok(built.tests())
    }

    /// The driver, with a bug or as it is.
    pub(super) fn build(&self, patch: Option<&Patch>) -> Result<Image> {
        self.follow()?;
        if let Some(patch) = patch {
            self.apply(patch)?;
        }
        let name = patch.map_or("control", |patch| &patch.name);
        self.compile()
            .with_context(|| format!("building {name} in {}", self.root.display()))?;
        self.keep(&self.directory.join(name))
    }

    /// Makes the copy what the work tree is: whatever git does not ignore. Files that are the same
    /// are left alone, so that cargo need not build them again.
    fn follow(&self) -> Result<()> {
        let mut list = Command::new("git");
        list.current_dir(workspace()).args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ]);
        for file in output(&mut list)?.split_terminator('\0') {
            let (from, to) = (workspace().join(file), self.root.join(file));
            let contents = match fs::read(&from) {
                // Deleted, and not yet committed.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                contents => contents.with_context(|| from.display().to_string())?,
            };
            if fs::read(&to).ok().as_ref() != Some(&contents) {
                let directory = to.parent().context("a file is in a directory")?;
                // With its permissions: some are programs.
                fs::create_dir_all(directory)
                    .and_then(|()| fs::copy(&from, &to))
                    .with_context(|| to.display().to_string())?;
            }
        }
        Ok(())
    }

    fn apply(&self, patch: &Patch) -> Result<()> {
        let mut git = Command::new("git");
        git.current_dir(&self.root).arg("apply").arg(&patch.path);
        // The copy is no repository, and is not to be taken for a part of the one around it.
        git.env("GIT_CEILING_DIRECTORIES", &self.directory);
        output(&mut git)
            .with_context(|| format!("{} does not apply any more", patch.path.display()))?;
        Ok(())
    }

    /// Has the copy's own xtask build its driver.
    fn compile(&self) -> Result<()> {
        let mut xtask = cargo();
        xtask
            .args(["xtask", "build", "driver"])
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", self.root.join("target"));
        let built = xtask.output().context("cannot start cargo")?;
        if !built.status.success() {
            bail!("{}", String::from_utf8_lossy(&built.stderr));
        }
        Ok(())
    }

    /// Copies what was built to `directory`, where the next build leaves it alone.
    fn keep(&self, directory: &Path) -> Result<Image> {
        fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
        let built = self.root.join("target/lab").join(Image::NAME);
        let kept = directory.join(Image::NAME);
        for extension in ["sys", "pdb", "map"] {
            let (from, to) = (
                built.with_extension(extension),
                kept.with_extension(extension),
            );
            fs::copy(&from, &to).with_context(|| format!("copying {}", from.display()))?;
        }
        Ok(Image(kept))
    }
}
