//! The headers of the images, as Windows' loader and its code integrity want them.

use std::collections::BTreeSet;

use ntwatch_wdk_check::{checksum, known, linker_map, pe::Image, read};
use object::{
    LittleEndian as LE, Object as _,
    pe::{
        IMAGE_DEBUG_TYPE_REPRO, IMAGE_DIRECTORY_ENTRY_BASERELOC, IMAGE_DIRECTORY_ENTRY_DEBUG,
        IMAGE_DIRECTORY_ENTRY_EXCEPTION, IMAGE_DIRECTORY_ENTRY_IAT,
        IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE, IMAGE_DLLCHARACTERISTICS_FORCE_INTEGRITY,
        IMAGE_DLLCHARACTERISTICS_HIGH_ENTROPY_VA, IMAGE_DLLCHARACTERISTICS_NX_COMPAT,
        IMAGE_FILE_MACHINE_AMD64, IMAGE_SCN_MEM_EXECUTE, IMAGE_SCN_MEM_WRITE,
        IMAGE_SUBSYSTEM_NATIVE, ImageDebugDirectory, ImageSectionHeader,
    },
    pod,
};

mod planted;

const PAGE_SIZE: u32 = 0x1000;

fn with_each_image(check: impl Fn(&str, &Image<'_>)) {
    for name in ["driver", "wdfldr"] {
        check(name, &Image::parse(&read(name)));
    }
}

fn name(section: &ImageSectionHeader) -> String {
    let name = String::from_utf8_lossy(&section.name);
    name.trim_end_matches('\0').to_owned()
}

#[test]
fn images_are_native_programs_for_x64() {
    with_each_image(|name, image| {
        let headers = image.pe.nt_headers();
        assert_eq!(
            headers.file_header.machine.get(LE),
            IMAGE_FILE_MACHINE_AMD64,
            "{name}"
        );
        assert_eq!(
            headers.optional_header.subsystem.get(LE),
            IMAGE_SUBSYSTEM_NATIVE,
            "{name}"
        );
    });
}

#[test]
fn the_driver_may_be_placed_anywhere_and_must_be_signed() {
    let file = read("driver");
    let image = Image::parse(&file);
    let optional = &image.pe.nt_headers().optional_header;
    let flags = optional.dll_characteristics.get(LE);
    let wanted = IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE
        | IMAGE_DLLCHARACTERISTICS_FORCE_INTEGRITY
        | IMAGE_DLLCHARACTERISTICS_HIGH_ENTROPY_VA
        | IMAGE_DLLCHARACTERISTICS_NX_COMPAT;
    assert_eq!(flags & wanted, wanted, "{flags:#06x}");
}

#[test]
fn images_can_be_relocated() {
    with_each_image(|name, image| {
        let directory = image.pe.data_directory(IMAGE_DIRECTORY_ENTRY_BASERELOC);
        assert!(directory.is_some_and(|d| d.size.get(LE) > 0), "{name}");
    });
}

/// The sections of a file that memory integrity (HVCI) would not have: writable code, and what does
/// not begin on a page.
fn refused(file: &[u8]) -> Vec<String> {
    let image = Image::parse(file);
    let sections = image.pe.section_table();
    let both = IMAGE_SCN_MEM_EXECUTE | IMAGE_SCN_MEM_WRITE;
    let refused = sections.iter().filter(|section| {
        section.characteristics.get(LE) & both == both
            || !section.virtual_address.get(LE).is_multiple_of(PAGE_SIZE)
    });
    refused.map(name).collect()
}

#[test]
fn sections_begin_on_pages_and_none_is_writable_code() {
    for image in ["driver", "wdfldr"] {
        assert_eq!(refused(&read(image)), [""; 0], "{image}");
    }
}

#[test]
fn writable_code_is_noticed() {
    let file = planted::with_code_characteristics(IMAGE_SCN_MEM_WRITE);
    assert_eq!(refused(&file), [".text"]);
}

#[test]
fn import_addresses_are_in_read_only_data() {
    with_each_image(|image_name, image| {
        let directory = image.pe.data_directory(IMAGE_DIRECTORY_ENTRY_IAT);
        let start = directory.expect("a table").virtual_address.get(LE);
        let sections = image.pe.section_table();
        let section = sections.section_containing(start).expect("a section");
        let flags = section.characteristics.get(LE);
        let section = name(section);
        let either = IMAGE_SCN_MEM_EXECUTE | IMAGE_SCN_MEM_WRITE;
        assert_eq!(flags & either, 0, "{image_name}: {section}");
    });
}

/// The functions of a file's table that are out of order or no code.
fn misplaced_functions(file: &[u8]) -> Vec<u32> {
    let image = Image::parse(file);
    assert!(
        image
            .pe
            .data_directory(IMAGE_DIRECTORY_ENTRY_EXCEPTION)
            .is_some(),
        "no function can be unwound"
    );
    let mut end = 0;
    let functions = image.functions().into_iter();
    let misplaced = functions.filter(|function| {
        let code = &function.code;
        let is_placed = end <= code.start
            && code.start < code.end
            && image.is_code(code.start)
            && image.is_code(code.end - 1);
        end = code.end;
        !is_placed
    });
    misplaced.map(|function| function.code.start).collect()
}

#[test]
fn functions_to_unwind_are_code_and_in_order() {
    for image in ["driver", "wdfldr"] {
        assert_eq!(misplaced_functions(&read(image)), [0; 0], "{image}");
    }
}

#[test]
fn functions_out_of_order_are_noticed() {
    let file = read("driver");
    let image = Image::parse(&file);
    let directory = image.pe.data_directory(IMAGE_DIRECTORY_ENTRY_EXCEPTION);
    let second = directory.expect("a table").virtual_address.get(LE) + 12;
    let file = planted::at(second, &image.functions()[0].code.start.to_le_bytes());
    assert_eq!(misplaced_functions(&file).len(), 1);
}

#[test]
fn images_import_from_the_kernel_and_the_framework_only() {
    with_each_image(|name, image| {
        for import in image.imports() {
            let known = ["ntoskrnl.exe", "hal.dll", "wdfldr.sys"].contains(&&*import.module);
            assert!(known, "{name} imports {import:?}");
        }
    });
}

/// What a file imports that is not in `known.rs`, and what is there and not imported.
fn unlisted_and_unused(file: &[u8]) -> (Vec<String>, Vec<String>) {
    let imports = Image::parse(file).imports().into_iter();
    let imports: BTreeSet<_> = imports.map(|import| import.name).collect();
    let known = known::IMPORTS.iter().flat_map(|(_, names)| *names);
    let known: BTreeSet<_> = known.map(|name| (*name).to_owned()).collect();
    let unlisted = imports.difference(&known).cloned().collect();
    let unused = known.difference(&imports).cloned().collect();
    (unlisted, unused)
}

#[test]
fn the_driver_imports_what_is_known() {
    let (unlisted, unused) = unlisted_and_unused(&read("driver"));
    assert!(unlisted.is_empty(), "not in known.rs: {unlisted:?}");
    assert!(unused.is_empty(), "in known.rs, not imported: {unused:?}");
}

#[test]
fn another_import_is_noticed() {
    let mut file = read("driver");
    let name = b"KeEnterCriticalRegion\0";
    let at = file.windows(name.len()).position(|text| text == name);
    file[at.expect("the name")] = b'Z';
    let (unlisted, unused) = unlisted_and_unused(&file);
    assert_eq!(unlisted, ["ZeEnterCriticalRegion"]);
    assert_eq!(unused, ["KeEnterCriticalRegion"]);
}

/// Of the functions that a driver may import, those that raise exceptions, which Rust cannot catch:
/// for addresses of user mode's, and for want of quota.
const RAISING: &[&str] = &[
    "ExAllocatePoolWithQuotaTag",
    "ExRaiseStatus",
    "MmMapLockedPages",
    "MmMapLockedPagesSpecifyCache",
    "MmProbeAndLockPages",
    "ProbeForRead",
    "ProbeForWrite",
];

#[test]
fn the_driver_calls_nothing_that_raises() {
    let file = read("driver");
    let imports = Image::parse(&file).imports().into_iter();
    let raising: Vec<_> = imports
        .filter(|import| RAISING.contains(&&*import.name))
        .collect();
    assert!(raising.is_empty(), "{raising:?}");
}

#[test]
fn the_driver_is_entered_through_the_framework() {
    let map = linker_map();
    let entry = map
        .split("entry point at")
        .nth(1)
        .and_then(|text| text.split_whitespace().next());
    let function = map.lines().find(|line| line.contains(" FxDriverEntry "));
    assert_eq!(
        function.and_then(|line| line.split_whitespace().next()),
        entry
    );
}

#[test]
fn checksums_are_right() {
    with_each_image(|name, image| {
        let computed = checksum::computed(&image.pe, image.file);
        assert_eq!(checksum::recorded(&image.pe), computed, "{name}");
    });
}

#[test]
fn a_changed_byte_is_noticed() {
    let file = planted::at_entry_point(&[0x90]);
    let image = Image::parse(&file);
    let computed = checksum::computed(&image.pe, &file);
    assert_ne!(checksum::recorded(&image.pe), computed);
}

/// What the path of a file on the machine that built it would have in it.
const PATHS: &[&str] = &[
    env!("CARGO_MANIFEST_DIR"),
    "/registry/src/",
    "/usr/",
    "/home/",
    "/root/",
    ":\\",
];

/// The paths of [`PATHS`] that `file` has.
fn paths(file: &[u8]) -> Vec<&str> {
    let has = |path: &str| file.windows(path.len()).any(|text| text == path.as_bytes());
    let workspace = PATHS[0].trim_end_matches("/lab/wdk/check");
    let paths = PATHS[1..].iter().copied().chain([workspace]);
    paths.filter(|path| has(path)).collect()
}

#[test]
fn images_do_not_say_where_they_were_built() {
    with_each_image(|name, image| {
        assert_eq!(paths(image.file), [""; 0], "{name}");
        let debug = image.pe.pdb_info().expect("debug information");
        let pdb = debug.expect("the PDB's name").path();
        let pdb = String::from_utf8_lossy(pdb);
        assert!(!pdb.contains(['/', '\\']), "{name}: {pdb}");
    });
}

#[test]
fn a_path_is_noticed() {
    let entry_point = Image::parse(&read("driver")).entry_point();
    let file = planted::at(entry_point, b"/home/me/ntwatch");
    assert_eq!(paths(&file), ["/home/"]);
}

#[test]
fn images_do_not_say_when_they_were_built() {
    with_each_image(|name, image| {
        let directory = image.pe.data_directory(IMAGE_DIRECTORY_ENTRY_DEBUG);
        let directory = directory.expect("debug information");
        let entries = directory.data(image.file, &image.pe.section_table());
        let entries = pod::slice_from_all_bytes::<ImageDebugDirectory>(entries.expect("entries"));
        let mut entries = entries.expect("entries").iter();
        // Then every time in the file is a hash of it.
        let is_reproducible = entries.any(|entry| entry.typ.get(LE) == IMAGE_DEBUG_TYPE_REPRO);
        assert!(is_reproducible, "{name}");
    });
}
