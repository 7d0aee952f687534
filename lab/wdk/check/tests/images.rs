//! The headers of the images, as Windows' loader and its code integrity want them.

use std::{collections::BTreeSet, fs};

use ntwatch_wdk_check::image;
use object::{
    LittleEndian as LE,
    pe::{
        IMAGE_DIRECTORY_ENTRY_BASERELOC, IMAGE_DIRECTORY_ENTRY_EXCEPTION,
        IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE, IMAGE_DLLCHARACTERISTICS_FORCE_INTEGRITY,
        IMAGE_DLLCHARACTERISTICS_HIGH_ENTROPY_VA, IMAGE_DLLCHARACTERISTICS_NX_COMPAT,
        IMAGE_FILE_MACHINE_AMD64, IMAGE_SCN_MEM_EXECUTE, IMAGE_SCN_MEM_WRITE,
        IMAGE_SUBSYSTEM_NATIVE, ImageNtHeaders64,
    },
    read::pe::PeFile64,
};

const PAGE_SIZE: u32 = 0x1000;

fn with_each_image(check: impl Fn(&str, &PeFile64<'_>)) {
    for name in ["driver", "wdfldr"] {
        let path = image(name);
        let file = fs::read(&path).expect("the image");
        check(name, &PeFile64::parse(&*file).expect("a 64-bit PE image"));
    }
}

fn linker_map() -> String {
    fs::read_to_string(image("driver").with_extension("map")).expect("the driver's map")
}

/// The names that an image imports, with the file that they come from.
fn imports(image: &PeFile64<'_>) -> BTreeSet<(String, String)> {
    let table = image
        .import_table()
        .expect("imports")
        .expect("an image that imports");
    let mut names = BTreeSet::new();
    let mut libraries = table.descriptors().expect("imports");
    while let Some(library) = libraries.next().expect("imports") {
        let file = table.name(library.name.get(LE)).expect("a name");
        let file = String::from_utf8_lossy(file).to_ascii_lowercase();
        let mut thunks = table
            .thunks(library.original_first_thunk.get(LE))
            .expect("imports");
        while let Some(thunk) = thunks.next::<ImageNtHeaders64>().expect("imports") {
            let (_, name) = table.hint_name(thunk.0.get(LE) as u32).expect("a name");
            names.insert((file.clone(), String::from_utf8_lossy(name).into_owned()));
        }
    }
    names
}

#[test]
fn images_are_native_programs_for_x64() {
    with_each_image(|name, image| {
        let headers = image.nt_headers();
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
    let file = fs::read(image("driver")).expect("the image");
    let image = PeFile64::parse(&*file).expect("a 64-bit PE image");
    let flags = image
        .nt_headers()
        .optional_header
        .dll_characteristics
        .get(LE);
    let wanted = IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE
        | IMAGE_DLLCHARACTERISTICS_FORCE_INTEGRITY
        | IMAGE_DLLCHARACTERISTICS_HIGH_ENTROPY_VA
        | IMAGE_DLLCHARACTERISTICS_NX_COMPAT;
    assert_eq!(flags & wanted, wanted, "{flags:#06x}");
}

#[test]
fn images_can_be_relocated_and_unwound() {
    with_each_image(|name, image| {
        for entry in [
            IMAGE_DIRECTORY_ENTRY_BASERELOC,
            IMAGE_DIRECTORY_ENTRY_EXCEPTION,
        ] {
            let directory = image.data_directory(entry);
            assert!(
                directory.is_some_and(|d| d.size.get(LE) > 0),
                "{name}: directory {entry}"
            );
        }
    });
}

#[test]
fn sections_begin_on_pages_and_none_is_writable_code() {
    with_each_image(|name, image| {
        let alignment = image.nt_headers().optional_header.section_alignment.get(LE);
        assert_eq!(alignment % PAGE_SIZE, 0, "{name}");
        for section in image.section_table().iter() {
            let flags = section.characteristics.get(LE);
            let both = IMAGE_SCN_MEM_EXECUTE | IMAGE_SCN_MEM_WRITE;
            let section = String::from_utf8_lossy(&section.name);
            assert_ne!(flags & both, both, "{name}: {section}");
        }
    });
}

#[test]
fn images_import_from_the_kernel_and_the_framework_only() {
    with_each_image(|name, image| {
        for (file, import) in imports(image) {
            let known = ["ntoskrnl.exe", "hal.dll", "wdfldr.sys"].contains(&file.as_str());
            assert!(known, "{name} imports {import} from {file}");
        }
    });
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
    let file = fs::read(image("driver")).expect("the image");
    let image = PeFile64::parse(&*file).expect("a 64-bit PE image");
    let names = imports(&image).into_iter().map(|(_, name)| name);
    let raising: Vec<_> = names
        .filter(|name| RAISING.contains(&name.as_str()))
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
fn the_driver_cannot_panic() {
    let file = fs::read(image("driver")).expect("the image");
    let image = PeFile64::parse(&*file).expect("a 64-bit PE image");
    let bug_checks = imports(&image)
        .into_iter()
        .any(|(_, name)| name == "KeBugCheckEx");
    assert!(!bug_checks, "the panic handler is linked in");
    let map = linker_map();
    let panics: Vec<_> = map
        .lines()
        .filter(|line| line.contains("9panicking"))
        .collect();
    assert!(panics.is_empty(), "{}", panics.join("\n"));
}
