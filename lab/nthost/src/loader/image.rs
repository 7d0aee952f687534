//! A loaded image: mapped, relocated, imports bound.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::symbols::Symbols;
use super::{Layout, LoadError, Mapping};
use crate::coverage::{self, Breakpoints};
use crate::loader::layout::Section;

/// A loaded image.
#[derive(Debug)]
pub struct Image {
    path: PathBuf,
    name: String,
    /// Before the mapping goes.
    _breakpoints: Option<Breakpoints>,
    mapping: Mapping,
    entry: usize,
    force_integrity: bool,
    sections: Vec<Section>,
    exports: BTreeMap<String, usize>,
    symbols: OnceLock<Symbols>,
}

impl Image {
    /// Places the image that was read from `path` in memory. `resolve` finds an import by module (in lower
    /// case) and name.
    ///
    /// # Errors
    /// [`LoadError::Missing`] with every import that `resolve` does not find,
    /// [`LoadError::Map`]; nothing stays mapped then.
    pub fn bind(
        path: &Path,
        mut layout: Layout,
        resolve: impl Fn(&str, &str) -> Option<usize>,
    ) -> Result<Image, LoadError> {
        let size = layout.size;
        let no_memory = |source| LoadError::Map {
            path: path.into(),
            size,
            source,
        };
        let mapping = Mapping::new(&layout).map_err(no_memory)?;

        let mut missing = Vec::new();
        for import in &layout.imports {
            match resolve(&import.module, &import.symbol) {
                Some(address) => mapping.write(import.slot, &(address as u64).to_le_bytes()),
                None => missing.push(format!("{}!{}", import.module, import.symbol)),
            }
        }
        if !missing.is_empty() {
            missing.sort();
            missing.dedup();
            return Err(LoadError::Missing {
                path: path.into(),
                missing,
            });
        }
        mapping.protect(&layout.sections).map_err(no_memory)?;

        let base = mapping.base();
        let exports = std::mem::take(&mut layout.exports);
        let name = path.file_name().unwrap_or(path.as_os_str());
        let name = name.to_string_lossy().into_owned();
        Ok(Image {
            path: path.into(),
            _breakpoints: coverage::watch(&name, base, mapping.size()),
            name,
            entry: base + layout.entry as usize,
            force_integrity: layout.force_integrity,
            sections: layout.sections,
            exports: exports
                .into_iter()
                .map(|(name, at)| (name, base + at as usize))
                .collect(),
            mapping,
            symbols: OnceLock::new(),
        })
    }

    /// The file's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it is in memory.
    pub fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// The address of its entry point.
    pub fn entry(&self) -> usize {
        self.entry
    }

    /// Whether it was linked with `/INTEGRITYCHECK`.
    pub fn force_integrity(&self) -> bool {
        self.force_integrity
    }

    /// The address of an export.
    pub fn export(&self, name: &str) -> Option<usize> {
        self.exports.get(name).copied()
    }

    /// An address in it, for people: the image and the offset, and the function if the linker's map
    /// lies beside the file.
    pub(crate) fn describe(&self, address: usize) -> String {
        let offset = address - self.mapping.base();
        let symbols = self.symbols.get_or_init(|| Symbols::beside(&self.path));
        match symbols.at(offset) {
            Some(function) => format!("{}+{offset:#x} ({function})", self.name),
            None => format!("{}+{offset:#x}", self.name),
        }
    }

    /// Takes away what only initialisation needs. From here on such code faults when called.
    pub fn discard_init(&self) {
        // The host can only refuse for want of kernel memory; the pages then stay.
        let _ = self.mapping.discard(&self.sections);
    }
}
