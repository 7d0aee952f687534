//! The headers of the images, as Windows' loader and its code integrity want them.
//!
//! Each claim has a counterexample: a copy of the driver for which it does not hold.

use std::collections::BTreeSet;

use ntwatch_lab_figures::tell;
use ntwatch_wdk_check::{checksum, known, linker_map, pe::Image, read};
use object::{
    LittleEndian as LE, Object as _,
    pe::{
        IMAGE_DEBUG_TYPE_REPRO, IMAGE_DIRECTORY_ENTRY_BASERELOC, IMAGE_DIRECTORY_ENTRY_DEBUG,
        IMAGE_DIRECTORY_ENTRY_EXCEPTION, IMAGE_DIRECTORY_ENTRY_IAT,
        IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE, IMAGE_DLLCHARACTERISTICS_FORCE_INTEGRITY,
        IMAGE_DLLCHARACTERISTICS_HIGH_ENTROPY_VA, IMAGE_DLLCHARACTERISTICS_NX_COMPAT,
        IMAGE_FILE_MACHINE_AMD64, IMAGE_SCN_MEM_DISCARDABLE, IMAGE_SCN_MEM_EXECUTE,
        IMAGE_SCN_MEM_WRITE, IMAGE_SUBSYSTEM_NATIVE, ImageDebugDirectory, ImageSectionHeader,
    },
    pod,
};

mod planted;

/// Something that is so in an image.
struct Claim {
    what: &'static str,
    /// Whether it is said of the driver alone, not of wdfldr.sys.
    of_driver: bool,
    /// Where it is not so.
    breaches: fn(&Image<'_>) -> Vec<String>,
    /// The driver where it is not so.
    planted: fn() -> Vec<u8>,
}

const CLAIMS: &[Claim] = &[
    Claim {
        what: "a native program for x64",
        of_driver: false,
        breaches: foreign,
        planted: || planted::in_optional_header(field::SUBSYSTEM, &[3, 0]),
    },
    Claim {
        what: "may be placed anywhere, has no code in data, and must be signed",
        of_driver: true,
        breaches: missing_characteristics,
        planted: || planted::in_optional_header(field::DLL_CHARACTERISTICS, &[0, 0]),
    },
    Claim {
        what: "can be relocated",
        of_driver: false,
        breaches: no_relocations,
        planted: || planted::with_directory(IMAGE_DIRECTORY_ENTRY_BASERELOC, 0, 0),
    },
    Claim {
        what: "no section is writable code",
        of_driver: false,
        breaches: writable_code,
        planted: || {
            planted::in_section_header(".text", field::CHARACTERISTICS, |was| {
                was | IMAGE_SCN_MEM_WRITE
            })
        },
    },
    Claim {
        what: "sections begin on pages",
        of_driver: false,
        breaches: beside_pages,
        planted: || planted::in_section_header(".data", field::VIRTUAL_ADDRESS, |was| was + 0x200),
    },
    Claim {
        what: "what initialises is discarded",
        of_driver: true,
        breaches: kept_initialisation,
        planted: || {
            planted::in_section_header("INIT", field::CHARACTERISTICS, |was| {
                was & !IMAGE_SCN_MEM_DISCARDABLE
            })
        },
    },
    Claim {
        what: "no code or data of its own can be paged out",
        of_driver: false,
        breaches: pageable,
        planted: || {
            let name = |_| u32::from_le_bytes(*b"PAGE");
            planted::in_section_header(".text", field::NAME, name)
        },
    },
    Claim {
        what: "import addresses are in read-only data",
        of_driver: false,
        breaches: import_addresses_elsewhere,
        planted: || {
            let code = Image::parse(&read("driver")).entry_point();
            planted::with_directory(IMAGE_DIRECTORY_ENTRY_IAT, code, 8)
        },
    },
    Claim {
        what: "functions to unwind are code, and in order",
        of_driver: false,
        breaches: misplaced_functions,
        planted: || {
            let file = read("driver");
            let image = Image::parse(&file);
            let table = image.pe.data_directory(IMAGE_DIRECTORY_ENTRY_EXCEPTION);
            let second = table.expect("a table").virtual_address.get(LE) + 12;
            planted::at(second, &image.functions()[0].code.start.to_le_bytes())
        },
    },
    Claim {
        what: "imports from the kernel and the framework only",
        of_driver: false,
        breaches: other_modules,
        planted: || planted::in_place_of(b"WDFLDR.SYS\0", b"WDFLDR.DLL\0"),
    },
    Claim {
        what: "imports what is known",
        of_driver: true,
        breaches: unlisted_and_unused,
        planted: || planted::in_place_of(b"KeEnterCriticalRegion\0", b"ZeEnterCriticalRegion\0"),
    },
    Claim {
        what: "calls nothing that raises",
        of_driver: true,
        breaches: raising,
        planted: || planted::in_place_of(b"KeEnterCriticalRegion\0", b"ProbeForRead\0"),
    },
    Claim {
        what: "is entered through the framework",
        of_driver: true,
        breaches: other_entry,
        planted: || {
            let entry_point = Image::parse(&read("driver")).entry_point() + 1;
            planted::in_optional_header(field::ENTRY_POINT, &entry_point.to_le_bytes())
        },
    },
    Claim {
        what: "the checksum is right",
        of_driver: false,
        breaches: wrong_checksum,
        planted: || planted::at_entry_point(&[0x90]),
    },
    Claim {
        what: "no path of the machine that built it",
        of_driver: false,
        breaches: paths,
        planted: || planted::at_entry_point(b"/home/me/ntwatch"),
    },
    Claim {
        what: "the PDB is named without its directory",
        of_driver: false,
        breaches: directory_of_pdb,
        planted: || planted::in_place_of(b"ntwatch.pdb\0", b"x/watch.pdb\0"),
    },
    Claim {
        what: "no time of the build: each is a hash",
        of_driver: false,
        breaches: times,
        planted: || {
            let file = read("driver");
            let image = Image::parse(&file);
            let directory = image.pe.data_directory(IMAGE_DIRECTORY_ENTRY_DEBUG);
            let directory = directory.expect("debug information");
            let start = directory.virtual_address.get(LE);
            planted::at(start, &vec![0; directory.size.get(LE) as usize])
        },
    },
];

/// Offsets of fields (page "PE Format").
mod field {
    // In the optional header.
    pub(super) const ENTRY_POINT: usize = 16;
    pub(super) const SUBSYSTEM: usize = 68;
    pub(super) const DLL_CHARACTERISTICS: usize = 70;
    // In a section's header.
    pub(super) const NAME: usize = 0;
    pub(super) const VIRTUAL_ADDRESS: usize = 12;
    pub(super) const CHARACTERISTICS: usize = 36;
}

#[test]
fn every_claim_holds_for_the_images() {
    let mut held = 0;
    for claim in CLAIMS {
        let images: &[&str] = if claim.of_driver {
            &["driver"]
        } else {
            &["driver", "wdfldr"]
        };
        for name in images {
            let file = read(name);
            let breaches = (claim.breaches)(&Image::parse(&file));
            assert_eq!(breaches, [""; 0], "{name}: {}", claim.what);
            held += 1;
        }
    }
    tell("headers of the images", held, "claims");
}

#[test]
fn a_breach_of_each_claim_is_noticed() {
    let mut noticed = 0;
    for claim in CLAIMS {
        let file = (claim.planted)();
        let breaches = (claim.breaches)(&Image::parse(&file));
        assert!(!breaches.is_empty(), "not noticed: {}", claim.what);
        noticed += 1;
    }
    tell(
        "headers with a planted breach, noticed",
        noticed,
        "breaches",
    );
}

/// The one breach, if it is one.
fn breach(is_one: bool, what: String) -> Vec<String> {
    is_one.then_some(what).into_iter().collect()
}

fn foreign(image: &Image<'_>) -> Vec<String> {
    let headers = image.pe.nt_headers();
    let got = (
        headers.file_header.machine.get(LE),
        headers.optional_header.subsystem.get(LE),
    );
    let is_foreign = got != (IMAGE_FILE_MACHINE_AMD64, IMAGE_SUBSYSTEM_NATIVE);
    breach(is_foreign, format!("{got:x?}"))
}

fn missing_characteristics(image: &Image<'_>) -> Vec<String> {
    let optional = &image.pe.nt_headers().optional_header;
    let flags = optional.dll_characteristics.get(LE);
    let wanted = IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE
        | IMAGE_DLLCHARACTERISTICS_FORCE_INTEGRITY
        | IMAGE_DLLCHARACTERISTICS_HIGH_ENTROPY_VA
        | IMAGE_DLLCHARACTERISTICS_NX_COMPAT;
    let missing = wanted & !flags;
    breach(missing != 0, format!("{missing:#06x}"))
}

fn no_relocations(image: &Image<'_>) -> Vec<String> {
    let directory = image.pe.data_directory(IMAGE_DIRECTORY_ENTRY_BASERELOC);
    let has_some = directory.is_some_and(|directory| directory.size.get(LE) > 0);
    breach(!has_some, "none".to_owned())
}

/// The names of the sections that are like this.
fn sections(image: &Image<'_>, like: impl Fn(&ImageSectionHeader) -> bool) -> Vec<String> {
    let sections = image.pe.section_table();
    let sections = sections.iter().filter(|section| like(section));
    sections.map(name).collect()
}

fn name(section: &ImageSectionHeader) -> String {
    String::from_utf8_lossy(section.raw_name()).into_owned()
}

/// Memory integrity (HVCI) would not have it.
fn writable_code(image: &Image<'_>) -> Vec<String> {
    let both = IMAGE_SCN_MEM_EXECUTE | IMAGE_SCN_MEM_WRITE;
    sections(image, |section| {
        section.characteristics.get(LE) & both == both
    })
}

const PAGE_SIZE: u32 = 0x1000;

/// Nor this.
fn beside_pages(image: &Image<'_>) -> Vec<String> {
    sections(image, |section| {
        !section.virtual_address.get(LE).is_multiple_of(PAGE_SIZE)
    })
}

fn kept_initialisation(image: &Image<'_>) -> Vec<String> {
    let init = sections(image, |section| section.raw_name() == b"INIT");
    let discarded = sections(image, |section| {
        section.characteristics.get(LE) & IMAGE_SCN_MEM_DISCARDABLE != 0
    });
    let is_discarded = !init.is_empty() && init.iter().all(|init| discarded.contains(init));
    breach(!is_discarded, "INIT".to_owned())
}

/// Sections with such names are (page "Making Drivers Pageable").
fn pageable(image: &Image<'_>) -> Vec<String> {
    sections(image, |section| section.raw_name().starts_with(b"PAGE"))
}

fn import_addresses_elsewhere(image: &Image<'_>) -> Vec<String> {
    let directory = image.pe.data_directory(IMAGE_DIRECTORY_ENTRY_IAT);
    let start = directory.expect("a table").virtual_address.get(LE);
    let either = IMAGE_SCN_MEM_EXECUTE | IMAGE_SCN_MEM_WRITE;
    sections(image, |section| {
        let has_table = section.pe_data_at(image.file, start).is_some();
        has_table && section.characteristics.get(LE) & either != 0
    })
}

fn misplaced_functions(image: &Image<'_>) -> Vec<String> {
    let functions = image.functions();
    if functions.is_empty() {
        return vec!["no function can be unwound".to_owned()];
    }
    let mut end = 0;
    let misplaced = functions.into_iter().filter(|function| {
        let code = &function.code;
        let is_placed = end <= code.start
            && code.start < code.end
            && image.is_code(code.start)
            && image.is_code(code.end - 1);
        end = code.end;
        !is_placed
    });
    misplaced
        .map(|function| format!("{:#x}", function.code.start))
        .collect()
}

fn other_modules(image: &Image<'_>) -> Vec<String> {
    let known = ["ntoskrnl.exe", "hal.dll", "wdfldr.sys"];
    let imports = image.imports().into_iter();
    let others = imports.filter(|import| !known.contains(&&*import.module));
    others.map(|import| format!("{import:?}")).collect()
}

/// What is imported and not in `known.rs`, and what is there and not imported.
fn unlisted_and_unused(image: &Image<'_>) -> Vec<String> {
    let imports = image.imports().into_iter();
    let imports: BTreeSet<_> = imports.map(|import| import.name).collect();
    let known = known::IMPORTS.iter().flat_map(|(_, names)| *names);
    let known: BTreeSet<_> = known.map(|name| (*name).to_owned()).collect();
    let unlisted = imports.difference(&known);
    let unlisted = unlisted.map(|name| format!("not in known.rs: {name}"));
    let unused = known.difference(&imports);
    let unused = unused.map(|name| format!("in known.rs, not imported: {name}"));
    unlisted.chain(unused).collect()
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

fn raising(image: &Image<'_>) -> Vec<String> {
    let imports = image.imports().into_iter().map(|import| import.name);
    imports.filter(|name| RAISING.contains(&&**name)).collect()
}

/// The entry point, if it is not the framework's in the linker's map.
fn other_entry(image: &Image<'_>) -> Vec<String> {
    let map = linker_map();
    let base = image.pe.nt_headers().optional_header.image_base.get(LE);
    let entry_point = base + u64::from(image.entry_point());
    let line = map.lines().find(|line| line.contains(" FxDriverEntry "));
    let is_entered = line.is_some_and(|line| line.contains(&format!(" {entry_point:016x} ")));
    breach(!is_entered, format!("{entry_point:#x}"))
}

fn wrong_checksum(image: &Image<'_>) -> Vec<String> {
    let recorded = checksum::recorded(&image.pe);
    let computed = checksum::computed(&image.pe, image.file);
    let what = format!("{recorded:#x}, not {computed:#x}");
    breach(recorded != computed, what)
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

fn paths(image: &Image<'_>) -> Vec<String> {
    let has = |path: &str| {
        let mut windows = image.file.windows(path.len());
        windows.any(|text| text == path.as_bytes())
    };
    let workspace = PATHS[0].trim_end_matches("/lab/wdk/check");
    let paths = PATHS[1..].iter().copied().chain([workspace]);
    let paths = paths.filter(|path| has(path));
    paths.map(str::to_owned).collect()
}

fn directory_of_pdb(image: &Image<'_>) -> Vec<String> {
    let debug = image.pe.pdb_info().expect("debug information");
    let pdb = debug.expect("the PDB's name").path();
    let pdb = String::from_utf8_lossy(pdb).into_owned();
    breach(pdb.contains(['/', '\\']), pdb)
}

fn times(image: &Image<'_>) -> Vec<String> {
    let directory = image.pe.data_directory(IMAGE_DIRECTORY_ENTRY_DEBUG);
    let directory = directory.expect("debug information");
    let entries = directory.data(image.file, &image.pe.section_table());
    let entries = pod::slice_from_all_bytes::<ImageDebugDirectory>(entries.expect("entries"));
    let mut entries = entries.expect("entries").iter();
    let are_hashes = entries.any(|entry| entry.typ.get(LE) == IMAGE_DEBUG_TYPE_REPRO);
    breach(!are_hashes, "times".to_owned())
}
