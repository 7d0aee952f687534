//! What Wine loads is what is shipped, but for the name of the kernel.

use ntwatch_wine_check::Wine;
use object::LittleEndian;
use object::pe::ImageNtHeaders64;
use object::read::pe::{ExportTarget, Import, PeFile64};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const KERNEL: &[u8] = b"ntoskrnl.exe";
const SHIM: &[u8] = b"ntosshim.sys";

fn bytes(file: &Path) -> Vec<u8> {
    fs::read(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

/// The names that an image imports of a library.
fn imports(image: &[u8], library: &[u8]) -> BTreeSet<String> {
    let image = PeFile64::parse(image).expect("an image");
    let table = image.import_table().expect("well formed").expect("one");
    let mut libraries = table.descriptors().expect("well formed");
    let mut names = BTreeSet::new();
    while let Some(descriptor) = libraries.next().expect("well formed") {
        let name = table.name(descriptor.name.get(LittleEndian));
        if name.expect("it has a name") != library {
            continue;
        }
        let first = descriptor.original_first_thunk.get(LittleEndian);
        let mut thunks = table.thunks(first).expect("well formed");
        while let Some(thunk) = thunks.next::<ImageNtHeaders64>().expect("well formed") {
            match table
                .import::<ImageNtHeaders64>(thunk)
                .expect("well formed")
            {
                Import::Name(_, name) => names.insert(String::from_utf8_lossy(name).into_owned()),
                Import::Ordinal(ordinal) => panic!("{ordinal} is imported without a name"),
            };
        }
    }
    names
}

/// The names that a library exports, and where they lead if that is elsewhere.
fn exports(library: &[u8]) -> Vec<(String, Option<String>)> {
    let library = PeFile64::parse(library).expect("an image");
    let table = library.export_table().expect("well formed").expect("one");
    let exports = table.exports().expect("well formed");
    let exports = exports.into_iter().filter_map(|export| {
        let name = String::from_utf8_lossy(export.name?).into_owned();
        let forward = match export.target {
            ExportTarget::ForwardByName(library, name) => {
                let [library, name] = [library, name].map(String::from_utf8_lossy);
                Some(format!("{library}.{name}"))
            }
            _ => None,
        };
        Some((name, forward))
    });
    exports.collect()
}

#[test]
fn the_name_of_the_kernel_is_all_that_is_changed() {
    let wine = Wine::get();
    assert_eq!(wine.images.len(), 2);
    for (shipped, copy) in &wine.images {
        let (shipped, copy) = (bytes(shipped), bytes(copy));
        assert_eq!(shipped.len(), copy.len());
        let differ: Vec<_> = (0..copy.len())
            .filter(|at| shipped[*at] != copy[*at])
            .collect();
        let (first, last) = (differ[0], differ[differ.len() - 1]);
        // They begin alike.
        let name = first - 4..first - 4 + KERNEL.len();
        assert!(name.contains(&last), "{differ:x?}");
        assert_eq!(&shipped[name.clone()], KERNEL);
        assert_eq!(&copy[name], SHIM);
        // And it is the one that the loader reads.
        assert_eq!(imports(&shipped, KERNEL), imports(&copy, SHIM));
        assert_eq!(imports(&copy, KERNEL), BTreeSet::new());
    }
}

#[test]
fn all_that_the_images_import_is_there_and_nothing_else() {
    let wine = Wine::get();
    let imported = wine.images.iter();
    let imported: BTreeSet<_> = imported
        .flat_map(|(_, copy)| imports(&bytes(copy), SHIM))
        .collect();
    let exported = exports(&bytes(&wine.shim));
    let names: BTreeSet<_> = exported.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(imported, names);
    let wines: BTreeSet<_> = exports(&bytes(&wine.kernel)).into_iter().collect();
    for (name, forward) in exported {
        if let Some(forward) = forward {
            assert_eq!(forward, format!("ntoskrnl.exe.{name}"));
            assert!(wines.contains(&(name.clone(), None)), "Wine has no {name}");
        }
    }
}
