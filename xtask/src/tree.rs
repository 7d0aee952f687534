//! Copies of the work tree at other paths. Each keeps what it has built from run to run.

use std::{
    collections::HashSet,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{
    command::{cargo, output, workspace},
    pe,
};

const TARGET: &str = "target";

/// One of them.
pub(crate) struct Tree {
    pub(crate) root: PathBuf,
}

impl Tree {
    /// The first copy, or another one.
    pub(crate) fn nth(nth: usize) -> Self {
        let root = pe::lab().join("trees").join(nth.to_string());
        Self { root }
    }

    /// Makes the copy what the work tree is: whatever git does not ignore, and nothing else. Files
    /// that are the same are left alone, so that cargo need not build them again.
    pub(crate) fn follow(&self) -> Result<()> {
        let mut list = Command::new("git");
        list.current_dir(workspace()).args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ]);
        let mut followed = HashSet::new();
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
            followed.insert(to);
        }
        remove_others(&self.root, &followed).with_context(|| self.root.display().to_string())
    }

    /// Has the copy's own xtask build an image, and says where that is.
    pub(crate) fn build(&self, image: &str) -> Result<PathBuf> {
        let mut xtask = cargo();
        xtask
            .args(["xtask", "build", image])
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", self.root.join(TARGET));
        let built = xtask.output().context("cannot start cargo")?;
        if !built.status.success() {
            let errors = String::from_utf8_lossy(&built.stderr);
            bail!("building {image} in {}: {errors}", self.root.display());
        }
        let printed = String::from_utf8_lossy(&built.stdout);
        let path = printed.trim_end().strip_prefix(image).map(str::trim_start);
        path.map(PathBuf::from)
            .with_context(|| format!("no path of {image} in {printed:?}"))
    }
}

/// Removes the files that are not among these, wherever below, but for what cargo has built.
fn remove_others(directory: &Path, these: &HashSet<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            if !path.ends_with(TARGET) {
                remove_others(&path, these)?;
            }
        } else if !these.contains(&path) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}
