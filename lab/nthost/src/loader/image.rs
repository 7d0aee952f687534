//! A loaded image: mapped, relocated, imports bound.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Layout, LoadError, Mapping};
use crate::loader::layout::Section;

/// A loaded image.
#[derive(Debug)]
pub struct Image {
    name: String,
    mapping: Mapping,
    entry: usize,
    force_integrity: bool,
    sections: Vec<Section>,
    exports: BTreeMap<String, usize>,
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
        Ok(Image {
            name: name.to_string_lossy().into_owned(),
            entry: base + layout.entry as usize,
            force_integrity: layout.force_integrity,
            sections: layout.sections,
            exports: exports
                .into_iter()
                .map(|(name, at)| (name, base + at as usize))
                .collect(),
            mapping,
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

    /// Takes away what only initialisation needs. From here on such code faults when called.
    pub fn discard_init(&self) {
        // The host can only refuse for want of kernel memory; the pages then stay.
        let _ = self.mapping.discard(&self.sections);
    }
}
