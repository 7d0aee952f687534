//! Drivers' files, as nthost loads them.

use crate::bytes::Bytes;
use crate::memory::peak_of;
use crate::target::Target;
use nthost::loader::{Image, Layout};
use ntwatch_tests::lab::Lab;
use object::pe;
use object::write::pe::{NtHeaders, Writer};
use std::path::Path;

/// Bytes of memory that a file may take beside its image: so many for each of its own, and these.
const PER_BYTE: usize = 64;
const ALWAYS: usize = 1 << 20;

/// A file is placed in memory inside of what was reserved for it, or refused. No code of it runs.
pub enum Loader {}

impl Target for Loader {
    type Input = Bytes;
    const NAME: &'static str = "loader";

    fn seeds() -> Vec<Bytes> {
        let wdfldr = Lab::get().wdfldr;
        let file = std::fs::read(&wdfldr).unwrap_or_else(|e| panic!("{}: {e}", wdfldr.display()));
        vec![Bytes(smallest()), Bytes(file)]
    }

    fn run(Bytes(file): &Bytes) {
        let (layout, memory) = peak_of(|| Layout::parse(file));
        let most = PER_BYTE * file.len() + ALWAYS;
        assert!(
            memory <= most,
            "{memory} bytes for a file of {}",
            file.len()
        );
        let Ok(layout) = layout else { return };
        let size = layout.size;
        let image = Image::bind(Path::new("fuzz.sys"), layout, |_, _| Some(0));
        let Ok(image) = image else { return };
        let inside = image.mapping().base()..image.mapping().base() + size;
        assert!(
            inside.contains(&image.entry()),
            "an entry outside of the image"
        );
    }
}

/// A driver of one instruction, with data that holds its own address.
fn smallest() -> Vec<u8> {
    const BASE: u64 = 0x1_8000_0000;
    const RET: &[u8] = &[0xc3];
    let mut file = Vec::new();
    let mut writer = Writer::new(true, 0x1000, 0x200, &mut file);
    writer.reserve_dos_header_and_stub();
    writer.reserve_nt_headers(16);
    writer.reserve_section_headers(3);
    let code = writer.reserve_text_section(RET.len() as u32);
    let data = writer.reserve_data_section(8, 8);
    writer.add_reloc(data.virtual_address, pe::IMAGE_REL_BASED_DIR64);
    writer.reserve_reloc_section();
    writer.write_dos_header_and_stub().expect("a DOS header");
    writer.write_nt_headers(NtHeaders {
        machine: pe::IMAGE_FILE_MACHINE_AMD64,
        time_date_stamp: 0,
        characteristics: pe::IMAGE_FILE_EXECUTABLE_IMAGE,
        major_linker_version: 0,
        minor_linker_version: 0,
        address_of_entry_point: code.virtual_address,
        image_base: BASE,
        major_operating_system_version: 10,
        minor_operating_system_version: 0,
        major_image_version: 0,
        minor_image_version: 0,
        major_subsystem_version: 10,
        minor_subsystem_version: 0,
        subsystem: pe::IMAGE_SUBSYSTEM_NATIVE,
        dll_characteristics: 0,
        size_of_stack_reserve: 0,
        size_of_stack_commit: 0,
        size_of_heap_reserve: 0,
        size_of_heap_commit: 0,
    });
    writer.write_section_headers();
    writer.write_section(code.file_offset, RET);
    let own_address = BASE + u64::from(data.virtual_address);
    writer.write_section(data.file_offset, &own_address.to_le_bytes());
    writer.write_reloc_section();
    file
}
