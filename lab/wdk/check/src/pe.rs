//! What the checks read of an image: sections, imports, function table, pointers to code.

use std::{collections::BTreeSet, ops::Range};

use object::{
    LittleEndian as LE,
    pe::{
        IMAGE_DIRECTORY_ENTRY_EXCEPTION, IMAGE_REL_BASED_DIR64, IMAGE_SCN_MEM_EXECUTE,
        ImageNtHeaders64,
    },
    read::pe::PeFile64,
};

/// A PE image for x64. Addresses are relative to its base.
#[derive(Debug)]
pub struct Image<'a> {
    /// The whole file.
    pub file: &'a [u8],
    /// The file, as `object` reads it.
    pub pe: PeFile64<'a>,
}

/// A function or variable that an image imports.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    /// The file that it comes from, in lower case.
    pub module: String,
    /// Its name.
    pub name: String,
    /// Its place in the import address table.
    pub slot: u32,
}

/// An entry of the function table (page "x64 exception handling", structure `RUNTIME_FUNCTION`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeFunction {
    /// Its code.
    pub code: Range<u32>,
    /// Where its `UNWIND_INFO` is.
    pub unwind_info: u32,
}

impl<'a> Image<'a> {
    /// Reads the headers of `file`.
    ///
    /// # Panics
    /// When it is not a PE image for 64 bits.
    #[must_use]
    pub fn parse(file: &'a [u8]) -> Self {
        let pe = PeFile64::parse(file).expect("a 64-bit PE image");
        Self { file, pe }
    }

    /// Where the system enters it.
    #[must_use]
    pub fn entry_point(&self) -> u32 {
        self.pe
            .nt_headers()
            .optional_header
            .address_of_entry_point
            .get(LE)
    }

    /// The bytes from `address` to the end of its section; none where the file has none.
    #[must_use]
    pub fn bytes_at(&self, address: u32) -> &'a [u8] {
        let bytes = self.pe.section_table().pe_data_at(self.file, address);
        bytes.unwrap_or_default()
    }

    /// The 32 bits at `address`.
    #[must_use]
    pub fn u32_at(&self, address: u32) -> Option<u32> {
        let bytes = self.bytes_at(address).first_chunk()?;
        Some(u32::from_le_bytes(*bytes))
    }

    /// Whether `address` is in a section that may be executed.
    #[must_use]
    pub fn is_code(&self, address: u32) -> bool {
        self.pe.section_table().iter().any(|section| {
            let start = section.virtual_address.get(LE);
            section.characteristics.get(LE) & IMAGE_SCN_MEM_EXECUTE != 0
                && (start..start + section.virtual_size.get(LE)).contains(&address)
        })
    }

    /// All that it imports.
    ///
    /// # Panics
    /// When its import directory cannot be read.
    #[must_use]
    pub fn imports(&self) -> Vec<Import> {
        let table = self.pe.import_table().expect("an import directory");
        let table = table.expect("an image that imports");
        let mut imports = Vec::new();
        let mut modules = table.descriptors().expect("an import directory");
        while let Some(module) = modules.next().expect("a descriptor") {
            let name = table.name(module.name.get(LE)).expect("a name");
            let name = String::from_utf8_lossy(name).to_ascii_lowercase();
            let names = module.original_first_thunk.get(LE);
            let mut thunks = table.thunks(names).expect("a table of names");
            let mut slot = module.first_thunk.get(LE);
            while let Some(thunk) = thunks.next::<ImageNtHeaders64>().expect("a name") {
                let hint_name = table.hint_name(thunk.0.get(LE) as u32);
                let (_, function) = hint_name.expect("an import by name");
                imports.push(Import {
                    module: name.clone(),
                    name: String::from_utf8_lossy(function).into_owned(),
                    slot,
                });
                slot += 8;
            }
        }
        imports
    }

    /// The function table, in the order of the file.
    #[must_use]
    pub fn functions(&self) -> Vec<RuntimeFunction> {
        let Some(directory) = self.pe.data_directory(IMAGE_DIRECTORY_ENTRY_EXCEPTION) else {
            return Vec::new();
        };
        let start = directory.virtual_address.get(LE);
        let word = |address| self.u32_at(address).unwrap_or_default();
        (start..start + directory.size.get(LE))
            .step_by(12)
            .map(|entry| RuntimeFunction {
                code: word(entry)..word(entry + 4),
                unwind_info: word(entry + 8),
            })
            .collect()
    }

    /// Addresses of code that data holds: what the loader relocates, and what is exported.
    ///
    /// # Panics
    /// When relocations or exports cannot be read.
    #[must_use]
    pub fn code_pointers(&self) -> BTreeSet<u32> {
        let base = self.pe.nt_headers().optional_header.image_base.get(LE);
        let directories = self.pe.data_directories();
        let sections = self.pe.section_table();
        let mut pointers = BTreeSet::new();
        let blocks = directories.relocation_blocks(self.file, &sections);
        if let Some(mut blocks) = blocks.expect("relocations") {
            while let Some(block) = blocks.next().expect("a block of relocations") {
                for relocation in block.filter(|r| r.typ == IMAGE_REL_BASED_DIR64) {
                    let bytes = self.bytes_at(relocation.virtual_address).first_chunk();
                    let pointer = u64::from_le_bytes(*bytes.expect("a pointer"));
                    pointers.insert(pointer.wrapping_sub(base) as u32);
                }
            }
        }
        if let Some(exports) = self.pe.export_table().expect("exports") {
            pointers.extend(exports.addresses().iter().map(|export| export.get(LE)));
        }
        pointers.retain(|&pointer| self.is_code(pointer));
        pointers
    }
}
