//! Where the file of an installed driver is kept.

use super::error::{Doing, ServiceError};
use std::path::{Path, PathBuf};
use std::{env, io};
use windows_sys::Win32::Foundation::SPAPI_E_IN_WOW64;

/// Of the driver.
pub(super) const FILE: &str = "ntwatch.sys";

/// Who keeps it, and where.
pub(super) enum Kept {
    /// Windows, in the driver store: the INF that lies there beside it.
    Store(PathBuf),
    /// `install` has put it there.
    Drivers(PathBuf),
    /// Somebody else has.
    Elsewhere(PathBuf),
}

impl Kept {
    /// What the image path of a service says.
    pub(super) fn of(image: &Path) -> Self {
        let image = on_disk(&image.to_string_lossy());
        if let Some(inf) = inf_in_store(&image) {
            return Self::Store(inf);
        }
        let drivers = drivers();
        if image.as_os_str().eq_ignore_ascii_case(&drivers) {
            Self::Drivers(drivers)
        } else {
            Self::Elsewhere(image)
        }
    }
}

/// Fails in a 32-bit program, as for a package: by the name of System32 Windows shows it another folder
/// (page "File System Redirector").
pub(super) fn check(doing: Doing) -> Result<(), ServiceError> {
    if cfg!(target_pointer_width = "32") {
        let error = io::Error::from_raw_os_error(SPAPI_E_IN_WOW64);
        return Err(ServiceError::windows(doing, error));
    }
    Ok(())
}

/// Where the driver's file is when it does not come with its package.
pub(super) fn drivers() -> PathBuf {
    windows().join(r"System32\drivers").join(FILE)
}

/// The store keeps each package in a folder of its own, such as `ntwatch.inf_amd64_0123456789abcdef`.
fn inf_in_store(image: &Path) -> Option<PathBuf> {
    let folder = image.parent()?;
    let store = folder.parent()?.file_name()?;
    if !store.eq_ignore_ascii_case("FileRepository") {
        return None;
    }
    let name = folder.file_name()?.to_str()?;
    let (inf, _) = name.split_at_checked(name.find(".inf_")? + ".inf".len())?;
    Some(folder.join(inf))
}

/// The kernel's name of a file, as programs know it.
fn on_disk(image: &str) -> PathBuf {
    const ROOT: &str = r"\SystemRoot\";
    if let Some(path) = image.strip_prefix(r"\??\") {
        return path.into();
    }
    match image.split_at_checked(ROOT.len()) {
        Some((root, path)) if root.eq_ignore_ascii_case(ROOT) => windows().join(path),
        // What is relative is so to the same folder.
        _ => windows().join(image),
    }
}

fn windows() -> PathBuf {
    env::var_os("SystemRoot").map_or_else(|| r"C:\Windows".into(), PathBuf::from)
}
