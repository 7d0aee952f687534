//! The images loaded in a machine.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock, RwLockReadGuard};

use super::{Image, Layout, LoadError};
use crate::exports::{self, Export};
use crate::verify::{boundary, framework};

/// The images loaded in a machine.
#[derive(Debug)]
pub struct Modules {
    loaded: RwLock<Vec<Arc<Image>>>,
    verify: bool,
}

impl Modules {
    /// None yet. With `verify` what they import from the kernel leads to the verifier.
    pub(crate) fn new(verify: bool) -> Modules {
        Modules {
            loaded: RwLock::default(),
            verify,
        }
    }

    /// Loads the driver at `path`, and first the modules it imports from, which are looked for
    /// among `libraries` and then beside it.
    ///
    /// The images live as long as somebody holds what is returned: the driver last, what it
    /// needs before it.
    ///
    /// # Errors
    /// [`LoadError`] about the first image that cannot be loaded.
    pub fn load(&self, path: &Path, libraries: &[PathBuf]) -> Result<Vec<Arc<Image>>, LoadError> {
        let layout = read(path)?;
        let mut images: Vec<Arc<Image>> = Vec::new();
        for library in libraries_of(&layout, path, libraries) {
            let layout = read(&library)?;
            let image = Image::bind(&library, layout, |module, symbol| {
                self.kernel_export(module, symbol)
            })?;
            images.push(Arc::new(image));
        }
        let driver = Image::bind(path, layout, |module, symbol| {
            let library = images
                .iter()
                .find(|image| image.name().eq_ignore_ascii_case(module));
            match library {
                Some(library) => {
                    let interposed = self.verify.then(|| framework::interposed(symbol)).flatten();
                    library.export(symbol).map(|own| interposed.unwrap_or(own))
                }
                None => self.kernel_export(module, symbol),
            }
        })?;
        images.push(Arc::new(driver));
        self.loaded.write().unwrap().extend(images.iter().cloned());
        Ok(images)
    }

    /// Where a driver finds an export of the kernel itself.
    pub(crate) fn address(&self, export: &Export) -> usize {
        match self.verify {
            true => boundary::address(export),
            false => export.address as usize,
        }
    }

    fn kernel_export(&self, module: &str, symbol: &str) -> Option<usize> {
        let export = KERNEL
            .contains(&module)
            .then(|| exports::find(symbol))
            .flatten();
        export.map(|export| self.address(export))
    }

    /// Forgets `images`. They are unmapped when their last holder lets go.
    pub fn unload(&self, images: &[Arc<Image>]) {
        self.loaded
            .write()
            .unwrap()
            .retain(|loaded| !images.iter().any(|image| Arc::ptr_eq(image, loaded)));
    }

    /// The images that are loaded, which stay so meanwhile.
    pub(crate) fn loaded(&self) -> RwLockReadGuard<'_, Vec<Arc<Image>>> {
        self.loaded.read().unwrap()
    }

    /// The image that `address` is in.
    pub fn find(&self, address: usize) -> Option<Arc<Image>> {
        let loaded = self.loaded.read().unwrap();
        loaded
            .iter()
            .find(|image| image.mapping().contains(address))
            .cloned()
    }
}

fn read(path: &Path) -> Result<Layout, LoadError> {
    let file = fs::read(path).map_err(|source| LoadError::Read {
        path: path.into(),
        source,
    })?;
    Layout::parse(&file).map_err(|reason| LoadError::Malformed {
        path: path.into(),
        reason,
    })
}

/// The files of the modules that `layout` imports and that exist: from `libraries`, or else
/// beside the driver. What is not found shows up as missing imports.
fn libraries_of(layout: &Layout, driver: &Path, libraries: &[PathBuf]) -> Vec<PathBuf> {
    let modules: BTreeSet<&str> = layout
        .imports
        .iter()
        .map(|slot| slot.module.as_str())
        .collect();
    let find = |module: &str| {
        let named = libraries.iter().find(|library| {
            library
                .file_name()
                .is_some_and(|name| name.eq_ignore_ascii_case(module))
        });
        named
            .cloned()
            .or_else(|| Some(driver.with_file_name(module)).filter(|path| path.exists()))
    };
    modules
        .into_iter()
        .filter(|module| !KERNEL.contains(module))
        .filter_map(find)
        .collect()
}

/// The modules whose exports are this program's own.
const KERNEL: [&str; 2] = ["ntoskrnl.exe", "hal.dll"];
