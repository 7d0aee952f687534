//! Small drivers, made byte by byte.

use object::pe;
use object::write::pe::{NtHeaders, Writer};

/// `mov eax, status; ret`.
pub(crate) fn returns(status: u32) -> Vec<u8> {
    let mut code = vec![0xb8];
    code.extend(status.to_le_bytes());
    code.push(0xc3);
    code
}

/// What a driver is made of, beside data that holds its own address.
#[derive(Default)]
pub(crate) struct Driver<'a> {
    /// Its code; the entry point is the first byte.
    pub(crate) code: &'a [u8],
    /// The names it imports from ntoskrnl.exe.
    pub(crate) imports: &'a [&'a str],
    /// More characteristics of its code section.
    pub(crate) code_characteristics: u32,
    /// `DllCharacteristics`.
    pub(crate) dll_characteristics: u16,
}

/// Where the code is.
pub(crate) const CODE: u32 = 0x1000;
/// Where the data is: 8 bytes with its own address.
pub(crate) const DATA: u32 = 0x2000;
/// Where the import address table is.
pub(crate) const IMPORTS: u32 = 0x3000;
/// The address it is linked for. Nothing of a Linux process is ever there.
pub(crate) const BASE: u64 = 0xffff_8000_0000_0000;

impl Driver<'_> {
    /// The file.
    pub(crate) fn file(&self) -> Vec<u8> {
        let imports = self.import_section();
        let mut file = Vec::new();
        let mut writer = Writer::new(true, 0x1000, 0x200, &mut file);
        writer.reserve_dos_header_and_stub();
        writer.reserve_nt_headers(16);
        writer.reserve_section_headers(4);
        let code = writer.reserve_section(
            *b".text\0\0\0",
            pe::IMAGE_SCN_CNT_CODE
                | pe::IMAGE_SCN_MEM_EXECUTE
                | pe::IMAGE_SCN_MEM_READ
                | self.code_characteristics,
            self.code.len() as u32,
            self.code.len() as u32,
        );
        let data = writer.reserve_data_section(8, 8);
        let idata = writer.reserve_idata_section(imports.len() as u32);
        assert_eq!(
            (
                code.virtual_address,
                data.virtual_address,
                idata.virtual_address
            ),
            (CODE, DATA, IMPORTS)
        );
        // The directory lies behind the address table in the same section.
        let table = 8 * (self.imports.len() as u32 + 1);
        writer.set_data_directory(pe::IMAGE_DIRECTORY_ENTRY_IMPORT, IMPORTS + table, 40);
        writer.add_reloc(DATA, pe::IMAGE_REL_BASED_DIR64);
        writer.reserve_reloc_section();

        writer.write_dos_header_and_stub().expect("a DOS header");
        writer.write_nt_headers(NtHeaders {
            machine: pe::IMAGE_FILE_MACHINE_AMD64,
            time_date_stamp: 0,
            characteristics: pe::IMAGE_FILE_EXECUTABLE_IMAGE,
            major_linker_version: 0,
            minor_linker_version: 0,
            address_of_entry_point: CODE,
            image_base: BASE,
            major_operating_system_version: 10,
            minor_operating_system_version: 0,
            major_image_version: 0,
            minor_image_version: 0,
            major_subsystem_version: 10,
            minor_subsystem_version: 0,
            subsystem: pe::IMAGE_SUBSYSTEM_NATIVE,
            dll_characteristics: self.dll_characteristics,
            size_of_stack_reserve: 0,
            size_of_stack_commit: 0,
            size_of_heap_reserve: 0,
            size_of_heap_commit: 0,
        });
        writer.write_section_headers();
        writer.write_section(code.file_offset, self.code);
        writer.write_section(data.file_offset, &(BASE + u64::from(DATA)).to_le_bytes());
        writer.write_section(idata.file_offset, &imports);
        writer.write_reloc_section();
        file
    }

    /// Address table, directory, module name, then each name with its hint.
    fn import_section(&self) -> Vec<u8> {
        const DIRECTORY: u32 = 40;
        const MODULE: &[u8; 14] = b"ntoskrnl.exe\0\0";
        let table = 8 * (self.imports.len() as u32 + 1);
        let module = IMPORTS + table + DIRECTORY;
        let mut name = module + MODULE.len() as u32;

        let mut section = Vec::new();
        let mut names = Vec::new();
        for import in self.imports {
            section.extend(u64::from(name).to_le_bytes());
            let mut entry = vec![0, 0];
            entry.extend(import.bytes());
            entry.extend(if import.len() % 2 == 0 {
                [0, 0].as_slice()
            } else {
                &[0]
            });
            name += entry.len() as u32;
            names.extend(entry);
        }
        section.extend([0; 8]);
        for field in [0, 0, 0, module, IMPORTS, 0, 0, 0, 0, 0] {
            section.extend(field.to_le_bytes());
        }
        section.extend(MODULE);
        section.extend(names);
        section
    }
}
