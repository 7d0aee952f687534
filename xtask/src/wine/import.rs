//! The images for Wine: copies of the shipped files, which import another kernel.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use object::{LittleEndian, read::pe::PeFile64};

/// What drivers import.
const KERNEL: &str = "ntoskrnl.exe";

/// What the copies import in its place, of the same length.
pub(super) const SHIM: &str = "ntosshim.sys";
const _: () = assert!(SHIM.len() == KERNEL.len());

/// Changes the name of the kernel that a copy of an image imports, and nothing else.
pub(super) fn change(image: &Path) -> Result<()> {
    let mut bytes = fs::read(image).with_context(|| image.display().to_string())?;
    let name = kernel_name(&bytes).with_context(|| image.display().to_string())?;
    bytes[name..name + SHIM.len()].copy_from_slice(SHIM.as_bytes());
    fs::write(image, bytes).with_context(|| image.display().to_string())
}

/// Where in the file its import table has the kernel's name.
fn kernel_name(bytes: &[u8]) -> Result<usize> {
    let image = PeFile64::parse(bytes)?;
    let table = image.import_table()?.context("it imports nothing")?;
    let mut libraries = table.descriptors()?;
    while let Some(library) = libraries.next()? {
        let name = table.name(library.name.get(LittleEndian))?;
        if name == KERNEL.as_bytes() {
            // A slice of the file.
            return Ok(name.as_ptr().addr() - bytes.as_ptr().addr());
        }
    }
    anyhow::bail!("it does not import {KERNEL}")
}
