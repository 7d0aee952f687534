//! Writes what the kit declares and the images import as Rust that asks Microsoft's metadata.

#[allow(unreachable_pub, reason = "it is part of the library, too")]
#[path = "src/layouts.rs"]
mod layouts;

#[path = "src/unlisted.rs"]
mod unlisted;

use std::{collections::BTreeSet, env, fmt::Write as _, fs, path::PathBuf};

use object::{LittleEndian, pe::ImageNtHeaders64, read::pe::PeFile64};
use serde_json::Value;

fn main() {
    let variable = |name: &str| {
        println!("cargo::rerun-if-env-changed={name}");
        env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `cargo xtask test`"))
    };
    let directory = variable("NTWATCH_WDK_BINDINGS");
    println!("cargo::rustc-env=NTWATCH_WDK_BINDINGS={directory}");
    let bindings = PathBuf::from(directory).join("types.rs");
    println!("cargo::rerun-if-changed={}", bindings.display());
    let bindings = fs::read_to_string(bindings).expect("wdk-sys's bindings");

    let lab = fs::read_to_string(variable("NTWATCH_LAB")).expect("the lab");
    let lab: Value = serde_json::from_str(&lab).expect("JSON");
    let images = ["driver", "wdfldr"].map(|name| lab[name].as_str().expect("a path"));

    let source = comparisons(&layouts::read(&bindings)) + &functions(&images);
    let out = PathBuf::from(variable("OUT_DIR")).join("metadata.rs");
    fs::write(out, source).expect("OUT_DIR can be written");
}

/// A comparison of every size and offset of the kit's NT structures with the metadata's.
fn comparisons(layouts: &[layouts::Layout]) -> String {
    let mut source = "/// Every NT structure of the kit.\n".to_owned();
    source += "pub static COMPARISONS: &[Comparison] = &[\n";
    for layout in layouts.iter().filter(|layout| is_of_nt(&layout.name)) {
        let name = metadata_name(&layout.name);
        let size = layout.size;
        let _ = writeln!(
            source,
            "Comparison {{ what: \"size of {name}\", kit: {size}, \
             metadata: size_of::<all::{name}>() }},"
        );
        for (field, offset) in &layout.fields {
            let _ = writeln!(
                source,
                "Comparison {{ what: \"offset of {name}::{field}\", kit: {offset}, \
                 metadata: core::mem::offset_of!(all::{name}, {field}) }},"
            );
        }
    }
    source + "];\n"
}

/// Whether the metadata should know a structure: the framework's it does not.
fn is_of_nt(name: &str) -> bool {
    let unlisted = unlisted::STRUCTURES
        .iter()
        .any(|(unlisted, _)| name.starts_with(unlisted));
    !unlisted && !name.starts_with("_WDF") && !name.starts_with("WDF")
}

/// The metadata's name for a structure of C: `_MDL` is `MDL`, and the first structure without a
/// name inside it, bindgen's `_MDL__bindgen_ty_1`, is `MDL_0`.
fn metadata_name(name: &str) -> String {
    let mut parts = name.trim_start_matches('_').split("__bindgen_ty_");
    let outer = parts.next().unwrap_or_default().to_owned();
    parts.fold(outer, |name, number| {
        let number: usize = number.parse().expect("bindgen numbers structures");
        format!("{name}_{}", number - 1)
    })
}

/// An import of every kernel function that the images import: one that the metadata lacks does
/// not compile, unless it is listed with its documentation.
fn functions(images: &[&str]) -> String {
    let unlisted = |name: &str| {
        unlisted::FUNCTIONS
            .iter()
            .any(|(unlisted, _)| *unlisted == name)
    };
    let mut source = "#[allow(unused_imports, reason = \"to exist is enough\")]\n".to_owned();
    source += "mod imported {\n";
    for name in images
        .iter()
        .flat_map(|image| imports(image))
        .collect::<BTreeSet<_>>()
    {
        if !unlisted(&name) {
            let _ = writeln!(source, "use super::all::{name};");
        }
    }
    source + "}\n"
}

/// The names that an image imports from the kernel.
fn imports(image: &str) -> BTreeSet<String> {
    println!("cargo::rerun-if-changed={image}");
    let image = fs::read(image).expect("the image");
    let image = PeFile64::parse(&*image).expect("a PE image");
    let table = image
        .import_table()
        .expect("its imports")
        .expect("an image that imports");
    let mut names = BTreeSet::new();
    let mut libraries = table.descriptors().expect("its imports");
    while let Some(library) = libraries.next().expect("its imports") {
        let dll = table.name(library.name.get(LittleEndian)).expect("a name");
        if dll.eq_ignore_ascii_case(b"wdfldr.sys") {
            continue;
        }
        let first = library.original_first_thunk.get(LittleEndian);
        let mut thunks = table.thunks(first).expect("its imports");
        while let Some(thunk) = thunks.next::<ImageNtHeaders64>().expect("its imports") {
            let (_, name) = table
                .hint_name(thunk.0.get(LittleEndian) as u32)
                .expect("a name");
            names.insert(String::from_utf8_lossy(name).into_owned());
        }
    }
    names
}
