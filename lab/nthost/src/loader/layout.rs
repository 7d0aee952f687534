//! Reads a PE file into what the loader needs. Every length and offset in the file is hostile.

use std::collections::BTreeMap;
use std::ops::Range;

use object::LittleEndian as LE;
use object::pe;
use object::read::pe::{ExportTarget, ImageNtHeaders, Import, PeFile64};

/// Pages are the unit of protection.
pub(crate) const PAGE: usize = 4096;
/// No driver of ours comes near this; a larger image is a damaged header.
const MAX_IMAGE: usize = 256 << 20;

/// What a PE file asks the loader to do.
#[derive(Debug, PartialEq, Eq)]
pub struct Layout {
    /// The address the image was linked for.
    pub preferred_base: u64,
    /// Its size in memory, a multiple of the page size.
    pub size: usize,
    /// Offset of the entry point.
    pub entry: u32,
    /// Whether the image asks for its signature to be checked (`/INTEGRITYCHECK`).
    pub force_integrity: bool,
    /// The sections, ascending and disjoint.
    pub sections: Vec<Section>,
    /// Offsets of the 64-bit addresses to relocate.
    pub relocations: Vec<u32>,
    /// What it imports.
    pub imports: Vec<ImportSlot>,
    /// What it exports by name, as offsets.
    pub exports: BTreeMap<String, u32>,
    /// Where its table of functions with unwind data is; empty if it has none.
    pub unwind: Range<u32>,
}

/// One section.
#[derive(Debug, PartialEq, Eq)]
pub struct Section {
    /// Its name.
    pub name: String,
    /// Its offset in the image, a multiple of the page size.
    pub offset: u32,
    /// Its size in memory, a multiple of the page size.
    pub size: u32,
    /// Its bytes in the file; the rest is zero.
    pub data: Vec<u8>,
    /// Whether code may run from it.
    pub execute: bool,
    /// Whether it may be written to.
    pub write: bool,
    /// Whether it goes once the driver is initialised.
    pub discardable: bool,
}

/// One entry of the import address table.
#[derive(Debug, PartialEq, Eq)]
pub struct ImportSlot {
    /// The module imported from, in lower case.
    pub module: String,
    /// The function's name, or `#` and its ordinal.
    pub symbol: String,
    /// Offset of the entry.
    pub slot: u32,
}

impl Layout {
    /// Reads `file`.
    ///
    /// # Errors
    /// What is wrong with the file, in words.
    pub fn parse(file: &[u8]) -> Result<Layout, String> {
        let pe = PeFile64::parse(file).map_err(|error| error.to_string())?;
        let headers = pe.nt_headers();
        let optional = headers.optional_header();

        let machine = headers.file_header().machine.get(LE);
        if machine != pe::IMAGE_FILE_MACHINE_AMD64 {
            return Err(format!("it is for machine {machine:#06x}, not x64"));
        }
        let alignment = optional.section_alignment.get(LE) as usize;
        if !alignment.is_multiple_of(PAGE) || alignment == 0 {
            return Err(format!(
                "its sections are aligned to {alignment} bytes, not to pages"
            ));
        }
        let size = optional.size_of_image.get(LE) as usize;
        if size == 0 || size > MAX_IMAGE {
            return Err(format!(
                "its size in memory of {size} bytes is not plausible"
            ));
        }
        let size = size.next_multiple_of(PAGE);
        let entry = optional.address_of_entry_point.get(LE);
        let characteristics = optional.dll_characteristics.get(LE);

        let sections = sections(&pe, file, size)?;
        if !sections
            .iter()
            .any(|section| section.execute && section.contains(entry))
        {
            return Err(format!("its entry point {entry:#x} is not in code"));
        }
        Ok(Layout {
            preferred_base: optional.image_base.get(LE),
            size,
            entry,
            force_integrity: characteristics & pe::IMAGE_DLLCHARACTERISTICS_FORCE_INTEGRITY != 0,
            relocations: relocations(&pe, file, &sections)?,
            imports: imports(&pe, &sections)?,
            exports: exports(&pe, size)?,
            unwind: unwind(&pe),
            sections,
        })
    }
}

impl Section {
    fn contains(&self, offset: u32) -> bool {
        offset >= self.offset && offset - self.offset < self.size
    }
}

fn sections(pe: &PeFile64<'_>, file: &[u8], image: usize) -> Result<Vec<Section>, String> {
    let mut sections = Vec::new();
    let mut end = PAGE as u64;
    for header in pe.section_table().iter() {
        let name = String::from_utf8_lossy(header.raw_name()).into_owned();
        let offset = header.virtual_address.get(LE);
        let data = header
            .pe_data(file)
            .map_err(|_| format!("section {name} ends after the file"))?;
        let size = match header.virtual_size.get(LE) {
            0 => header.size_of_raw_data.get(LE),
            size => size,
        };
        let next = (u64::from(offset) + u64::from(size)).next_multiple_of(PAGE as u64);
        if u64::from(offset) < end || next > image as u64 || !(offset as usize).is_multiple_of(PAGE)
        {
            return Err(format!(
                "section {name} lies at {offset:#x}, outside of its place"
            ));
        }
        end = next;

        let characteristics = header.characteristics.get(LE);
        let section = Section {
            offset,
            size: (next - u64::from(offset)) as u32,
            data: data[..data.len().min(size as usize)].to_vec(),
            execute: characteristics & pe::IMAGE_SCN_MEM_EXECUTE != 0,
            write: characteristics & pe::IMAGE_SCN_MEM_WRITE != 0,
            discardable: characteristics & pe::IMAGE_SCN_MEM_DISCARDABLE != 0,
            name,
        };
        if section.execute && section.write {
            return Err(format!(
                "section {} is writable and executable",
                section.name
            ));
        }
        sections.push(section);
    }
    Ok(sections)
}

/// Whether eight bytes at `offset` belong to one section.
fn holds_address(sections: &[Section], offset: u32) -> bool {
    let last = offset.checked_add(7);
    last.is_some_and(|last| {
        sections
            .iter()
            .any(|s| s.contains(offset) && s.contains(last))
    })
}

fn relocations(pe: &PeFile64<'_>, file: &[u8], sections: &[Section]) -> Result<Vec<u32>, String> {
    let stripped =
        pe.nt_headers().file_header().characteristics.get(LE) & pe::IMAGE_FILE_RELOCS_STRIPPED;
    if stripped != 0 {
        return Err("its relocations are stripped".into());
    }
    let damaged = |error| format!("its relocations are damaged: {error}");
    let blocks = pe
        .data_directories()
        .relocation_blocks(file, &pe.section_table())
        .map_err(damaged)?;
    let mut relocations = Vec::new();
    let Some(mut blocks) = blocks else {
        return Ok(relocations);
    };
    while let Some(block) = blocks.next().map_err(damaged)? {
        for relocation in block {
            let at = relocation.virtual_address;
            match relocation.typ {
                pe::IMAGE_REL_BASED_ABSOLUTE => {}
                pe::IMAGE_REL_BASED_DIR64 if holds_address(sections, at) => relocations.push(at),
                typ => {
                    return Err(format!(
                        "a relocation of type {typ} at {at:#x} is not usable"
                    ));
                }
            }
        }
    }
    Ok(relocations)
}

fn imports(pe: &PeFile64<'_>, sections: &[Section]) -> Result<Vec<ImportSlot>, String> {
    let damaged = |error| format!("its imports are damaged: {error}");
    let mut imports = Vec::new();
    let Some(table) = pe.import_table().map_err(damaged)? else {
        return Ok(imports);
    };
    let mut descriptors = table.descriptors().map_err(damaged)?;
    while let Some(descriptor) = descriptors.next().map_err(damaged)? {
        let module = table.name(descriptor.name.get(LE)).map_err(damaged)?;
        let module = String::from_utf8_lossy(module).to_ascii_lowercase();
        let mut slot = descriptor.first_thunk.get(LE);
        let names = match descriptor.original_first_thunk.get(LE) {
            0 => slot,
            names => names,
        };
        let mut thunks = table.thunks(names).map_err(damaged)?;
        while let Some(thunk) = thunks.next::<pe::ImageNtHeaders64>().map_err(damaged)? {
            if !holds_address(sections, slot) {
                return Err(format!(
                    "the import address table of {module} lies outside of the image"
                ));
            }
            let symbol = match table
                .import::<pe::ImageNtHeaders64>(thunk)
                .map_err(damaged)?
            {
                Import::Ordinal(ordinal) => format!("#{ordinal}"),
                Import::Name(_, name) => String::from_utf8_lossy(name).into_owned(),
            };
            imports.push(ImportSlot {
                module: module.clone(),
                symbol,
                slot,
            });
            slot += 8;
        }
    }
    Ok(imports)
}

fn exports(pe: &PeFile64<'_>, image: usize) -> Result<BTreeMap<String, u32>, String> {
    let damaged = |error| format!("its exports are damaged: {error}");
    let mut exports = BTreeMap::new();
    let Some(table) = pe.export_table().map_err(damaged)? else {
        return Ok(exports);
    };
    for export in table.exports().map_err(damaged)? {
        let Some(name) = export.name else { continue };
        let name = String::from_utf8_lossy(name).into_owned();
        match export.target {
            ExportTarget::Address(offset) if (offset as usize) < image => {
                exports.insert(name, offset);
            }
            _ => return Err(format!("its export {name} is not in the image")),
        }
    }
    Ok(exports)
}

fn unwind(pe: &PeFile64<'_>) -> Range<u32> {
    let table = pe.data_directory(pe::IMAGE_DIRECTORY_ENTRY_EXCEPTION);
    let (start, size) = table.map_or((0, 0), |table| table.address_range());
    start..start.saturating_add(size)
}
