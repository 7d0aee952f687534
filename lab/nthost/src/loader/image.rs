//! A loaded image: mapped, relocated, imports bound.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use pe_unwind_info::x86_64::UnwindState;

use super::symbols::Symbols;
use super::{Layout, LoadError, Mapping, unwind};
use crate::coverage::{self, Breakpoints};
use crate::loader::layout::Section;

/// A loaded image.
#[derive(Debug)]
pub struct Image {
    /// Before the mapping goes.
    _breakpoints: Option<Breakpoints>,
    mapping: Mapping,
    entry: usize,
    force_integrity: bool,
    sections: Vec<Section>,
    exports: BTreeMap<String, usize>,
    unwind: Range<u32>,
    symbols: Arc<Symbols>,
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
        let symbols = Symbols::of(path);
        Ok(Image {
            _breakpoints: coverage::watch(symbols.image(), base, mapping.size()),
            entry: base + layout.entry as usize,
            force_integrity: layout.force_integrity,
            sections: layout.sections,
            exports: exports
                .into_iter()
                .map(|(name, at)| (name, base + at as usize))
                .collect(),
            mapping,
            unwind: layout.unwind,
            symbols: Arc::new(symbols),
        })
    }

    /// The file's name.
    pub fn name(&self) -> &str {
        self.symbols.image()
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

    /// The names of its functions.
    pub(crate) fn symbols(&self) -> &Arc<Symbols> {
        &self.symbols
    }

    /// Leaves the function that has the instruction at `offset`: `state` becomes its caller's.
    /// Returns the address in the caller; `None` if the unwind data or the stack does not tell.
    pub(crate) fn unwind(&self, state: &mut impl UnwindState, offset: u32) -> Option<usize> {
        let table = self.bytes_from(self.unwind.start);
        let table = table.and_then(|bytes| bytes.get(..self.unwind.len()));
        let bytes_from = |offset| self.bytes_from(offset);
        let caller = unwind::unwind(table.unwrap_or_default(), bytes_from, state, offset)?;
        usize::try_from(caller).ok()
    }

    /// What the file has at `offset` of the image and behind it, to the end of the section.
    fn bytes_from(&self, offset: u32) -> Option<&[u8]> {
        let mut sections = self.sections.iter();
        sections.find_map(|section| {
            let at = offset.checked_sub(section.offset)?;
            section.data.get(at as usize..)
        })
    }

    /// Takes away what only initialisation needs. From here on such code faults when called.
    pub fn discard_init(&self) {
        // The host can only refuse for want of kernel memory; the pages then stay.
        let _ = self.mapping.discard(&self.sections);
    }
}
