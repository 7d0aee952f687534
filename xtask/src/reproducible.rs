//! The same sources give the same images, wherever they lie.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};
use object::read::pe::PeFile64;

use crate::{build, tree::Tree};

/// Builds the images here, and from nothing but this machine's tools in a copy of the work tree at
/// another path.
/// Fails if a byte of them, or of their debug information, differs.
pub(crate) fn run() -> Result<()> {
    if cfg!(windows) {
        bail!("this compares images as the lab builds them, on Linux");
    }
    let copy = Tree::nth(0)?;
    copy.forget_images()?;
    let mut same = 0;
    for name in ["driver", "wdfldr"] {
        let (here, there) = (build::image(name)?, copy.build(name)?);
        for kind in ["sys", "pdb"] {
            let here = here.path(name)?.with_extension(kind);
            let there = there.with_extension(kind);
            if let Some(place) = first_difference(&read(&here)?, &read(&there)?) {
                bail!(
                    "{} depends on where it is built: {} is another one from {place} on; look for \
                     what there has a path, a time or an order in it (if it is \
                     lab/wdk/lld-link.sh that has changed, link anew: cargo does not notice)",
                    here.display(),
                    there.display()
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
