//! Copies of the work tree at other paths. Each keeps what it has built from run to run.

use std::{
    collections::HashSet,
    env,
    fs::{self, File},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{
    command::{COPY, output, workspace},
    pe, toolchain,
};

const TARGET: &str = "target";

/// One of them, for one task at a time.
pub(crate) struct Tree {
    pub(crate) root: PathBuf,
    /// Locked.
    _lock: File,
}

impl Tree {
    /// The first copy, or another one, once no other task has it: made what the work tree is.
    pub(crate) fn nth(nth: usize) -> Result<Self> {
        let root = pe::lab().join("trees").join(nth.to_string());
        let lock = root.with_extension("lock");
        fs::create_dir_all(&root)
            .and_then(|()| File::create(&lock))
            .and_then(|file| file.lock().map(|()| file))
            .with_context(|| lock.display().to_string())
            .and_then(|_lock| {
                let tree = Self { root, _lock };
                tree.seed()?;
                tree.follow()?;
                Ok(tree)
            })
    }

    /// Has one that has built nothing begin with what the work tree has built for this machine: what
    /// makes images, and loom. N.B. Before its sources are there: cargo takes what is older than they are
    /// for stale, and so builds our own crates anew.
    fn seed(&self) -> Result<()> {
        let built = self.root.join(TARGET);
        if built.exists() {
            return Ok(());
        }
        let seed = self.root.join("seed");
        for made in ["lab/pe/release", "loom"] {
            let (from, to) = (workspace().join(TARGET).join(made), seed.join(made));
            let directory = to.parent().context("it is in a directory")?;
            fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
            if from.exists() {
                // With its times.
                let mut copy = Command::new("cp");
                output(copy.arg("--archive").arg(from).arg(directory))?;
            }
        }
        fs::rename(&seed, &built).with_context(|| built.display().to_string())
    }

    /// Makes it what the work tree is: whatever git does not ignore, and nothing else. Files that are
    /// the same are left alone, so that cargo need not build them again.
    fn follow(&self) -> Result<()> {
        let mut list = Command::new("git");
        list.current_dir(workspace()).args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ]);
        let list = output(&mut list)?;
        let files = list.split_terminator('\0').map(Path::new);
        // Those that are deleted and not yet committed are listed, too.
        let files: HashSet<_> = files
            .filter(|file| workspace().join(file).exists())
            .collect();
        remove_others(&self.root, Path::new(""), &files)
            .with_context(|| self.root.display().to_string())?;
        for file in files {
            let (from, to) = (workspace().join(file), self.root.join(file));
            let directory = to.parent().context("a file is in a directory")?;
            fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
            let contents = fs::read(&from).with_context(|| from.display().to_string())?;
            if fs::read(&to).ok() != Some(contents) {
                // With its permissions: some are programs.
                fs::copy(&from, &to).with_context(|| to.display().to_string())?;
            }
        }
        Ok(())
    }

    /// Removes all that images are made of: the kit, its bindings, the crates. The programs of this
    /// machine that make them stay.
    pub(crate) fn forget_images(&self) -> Result<()> {
        for made in ["kit", "lock", &format!("pe/{}", toolchain::TARGET)] {
            let made = self.root.join(TARGET).join("lab").join(made);
            match fs::remove_dir_all(&made) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(error).with_context(|| made.display().to_string());
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Builds an image of what the copy has now, and says where that is.
    pub(crate) fn build(&self, image: &str) -> Result<PathBuf> {
        let mut xtask = Command::new(env::current_exe().context("where xtask is")?);
        xtask.args(["build", "--json", image]).env(COPY, &self.root);
        let built = xtask.output().context("cannot start xtask")?;
        if !built.status.success() {
            let errors = String::from_utf8_lossy(&built.stderr);
            bail!("building {image} in {}: {errors}", self.root.display());
        }
        let paths: Value = serde_json::from_slice(&built.stdout)?;
        let path = paths[image].as_str().map(PathBuf::from);
        path.filter(|path| path.starts_with(&self.root))
            .with_context(|| format!("{image} is not in {}: {paths}", self.root.display()))
    }
}

/// Removes the files below `directory` of `root` that are not among these, but for what cargo has
/// built.
fn remove_others(root: &Path, directory: &Path, these: &HashSet<&Path>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(directory))? {
        let entry = entry?;
        let path = directory.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            if path != Path::new(TARGET) {
                remove_others(root, &path, these)?;
            }
        } else if !these.contains(&*path) {
            fs::remove_file(entry.path())?;
        }
    }
    // One that has become empty may be in the way of a file.
    let _ = fs::remove_dir(root.join(directory));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_in_the_work_tree_goes_and_what_cargo_has_built_stays() -> io::Result<()> {
        let root = pe::lab().join(format!("a-tree-of-{}", std::process::id()));
        for file in ["kept/a", "kept/stray", "gone/b", "target/built", "stray"] {
            let file = root.join(file);
            fs::create_dir_all(file.parent().unwrap())?;
            fs::write(file, "")?;
        }
        remove_others(&root, Path::new(""), &HashSet::from([Path::new("kept/a")]))?;
        let is_there = |file: &&str| root.join(file).exists();
        let all = ["kept/a", "kept/stray", "gone", "target/built", "stray"];
        let left: Vec<_> = all.into_iter().filter(is_there).collect();
        fs::remove_dir_all(&root)?;
        assert_eq!(left, ["kept/a", "target/built"]);
        Ok(())
    }
}
