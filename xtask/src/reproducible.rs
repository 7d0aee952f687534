//! The same sources give the same images, wherever they lie.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{self, Command},
};

use anyhow::{Context, Result, bail};
use object::read::pe::PeFile64;

use crate::{
    build,
    command::{cargo, output, run as run_command, workspace},
};

/// Builds the images here, and from nothing in a copy of the sources that lies elsewhere.
/// Fails if a byte of them, or of their debug information, differs.
pub(crate) fn run() -> Result<()> {
    if cfg!(windows) {
        bail!("this compares images as the lab builds them, on Linux");
    }
    let checkout = Checkout::make()?;
    let mut same = 0;
    for name in ["driver", "wdfldr"] {
        let images = build::image(name)?;
        checkout.build(name)?;
        for kind in ["sys", "pdb"] {
            let here = images.path(name)?.with_extension(kind);
            let there = checkout.path().join(here.strip_prefix(workspace())?);
            if let Some(place) = first_difference(&read(&here)?, &read(&there)?) {
                bail!(
                    "{} depends on where it is built: in {} it is another one from {place} on; \
                     look for what there has a path, a time or an order in it (if it is \
                     lab/wdk/lld-link.sh that has changed, link anew: cargo does not notice)",
                    here.display(),
                    checkout.path().display()
                );
            }
            same += 1;
        }
    }
    ntwatch_lab_figures::tell("built elsewhere, the same bytes", same, "files");
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| path.display().to_string())
}

/// Where two files begin to differ, if they do.
fn first_difference(one: &[u8], other: &[u8]) -> Option<String> {
    let differing = one.iter().zip(other).position(|(one, other)| one != other);
    let shorter = (one.len() != other.len()).then_some(one.len().min(other.len()));
    differing.or(shorter).map(|offset| place(one, offset))
}

/// A place in a file, in a section if it is an image.
fn place(file: &[u8], offset: usize) -> String {
    let sections = PeFile64::parse(file).map(|image| image.section_table());
    let sections = sections.iter().flat_map(|sections| sections.iter());
    let mut places = sections.filter_map(|section| {
        let (start, size) = section.pe_file_range();
        let within = offset.checked_sub(start as usize)?;
        let name = String::from_utf8_lossy(&section.name);
        let name = name.trim_end_matches('\0');
        (within < size as usize).then(|| format!("{name}+{within:#x}"))
    });
    places.next().unwrap_or_else(|| format!("byte {offset:#x}"))
}

/// A copy of what git tracks or could, as it is in the work tree, with a path of another length and
/// depth. It is gone at the end.
struct Checkout(PathBuf);

impl Checkout {
    fn make() -> Result<Self> {
        let root = env::temp_dir().join(format!("ntwatch-elsewhere-{}", process::id()));
        let checkout = Self(root);
        let mut list = Command::new("git");
        list.args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ]);
        let list = output(list.current_dir(workspace()))?;
        for file in list.split_terminator('\0') {
            let (from, to) = (workspace().join(file), checkout.path().join(file));
            let directory = to.parent().context("a file is in a directory")?;
            fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
            fs::copy(&from, &to).with_context(|| format!("copying {}", from.display()))?;
        }
        Ok(checkout)
    }

    fn path(&self) -> PathBuf {
        self.0.join("a/path/of/other/depth")
    }

    /// Builds an image with the copy's own tasks, in directories of its own.
    fn build(&self, image: &str) -> Result<()> {
        let mut cargo = cargo();
        cargo
            .current_dir(self.path())
            .args(["xtask", "build", image]);
        run_command(cargo.env("CARGO_TARGET_DIR", self.path().join("target")))
    }
}

impl Drop for Checkout {
    fn drop(&mut self) {
        // Nothing is lost with what cannot be removed here.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_differ_where_their_bytes_or_their_lengths_do() {
        assert_eq!(first_difference(b"driver", b"driver"), None);
        assert_eq!(first_difference(b"driver", b"drover").unwrap(), "byte 0x2");
        assert_eq!(first_difference(b"driver", b"drivers").unwrap(), "byte 0x6");
    }
}
