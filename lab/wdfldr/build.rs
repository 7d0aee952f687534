//! Writes the numbers of KMDF 1.31 as Rust, from the facts beside the kit's headers, and links the
//! library as a kernel image.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Read off the public headers; shared with the kit, so that both sides of the table agree.
const FACTS: &str = "../wdk/facts/kmdf-1.31.json";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={FACTS}");
    let text = fs::read_to_string(FACTS).unwrap_or_else(|why| panic!("cannot read {FACTS}: {why}"));
    let facts: Value =
        serde_json::from_str(&text).unwrap_or_else(|why| panic!("{FACTS} is not JSON: {why}"));
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&out).join("facts.rs"), rust_of(&facts)).expect("OUT_DIR is writable");

    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("windows") {
        import_library(Path::new(&out));
        for argument in [
            "/DRIVER",
            "/SUBSYSTEM:NATIVE",
            "/NODEFAULTLIB",
            "/ENTRY:DriverEntry",
        ] {
            println!("cargo::rustc-cdylib-link-arg={argument}");
        }
    }
}

/// What `src/nt` declares itself, and what the compiler calls. N.B. Not by raw-dylib, as in
/// windows-sys, which has some of these from ntdll.dll: of two import libraries with a symbol the
/// linker takes the first, and this one comes before those of other crates.
const NTOSKRNL: &str = "\
LIBRARY ntoskrnl.exe
EXPORTS
    DbgPrint
    KeAcquireSpinLockRaiseToDpc
    KeEnterCriticalRegion
    KeLeaveCriticalRegion
    KeReleaseSpinLock
    PsGetCurrentProcessId
    ZwClose
    ZwOpenKey
    ZwQueryValueKey
    ZwSetSecurityObject
    memcmp
    memcpy
    memmove
    memset
";

fn import_library(directory: &Path) {
    let definitions = directory.join("ntoskrnl.def");
    fs::write(&definitions, NTOSKRNL).expect("OUT_DIR is writable");
    println!("cargo::rerun-if-env-changed=NTWATCH_LLD");
    let linker = env::var_os("NTWATCH_LLD").expect("`cargo xtask build` names the linker");
    let mut librarian = Command::new(linker);
    librarian.args(["-flavor", "link", "/lib", "/machine:x64"]);
    librarian.arg(format!("/def:{}", definitions.display()));
    let library = directory.join("wdfldr_ntoskrnl.lib");
    librarian.arg(format!("/out:{}", library.display()));
    let status = librarian.status().expect("the linker starts");
    assert!(status.success(), "{librarian:?}: {status}");
    println!("cargo::rustc-link-search=native={}", directory.display());
    println!("cargo::rustc-link-lib=dylib=wdfldr_ntoskrnl");
}

/// Indices, signatures, names, enumerators and layout checks.
fn rust_of(facts: &Value) -> String {
    let mut rust = String::new();
    functions(&mut rust, facts);
    enumerators(&mut rust, facts);
    layouts(&mut rust, facts);
    rust
}

fn functions(rust: &mut String, facts: &Value) {
    let mut functions: Vec<_> = object(&facts["functions"]).collect();
    functions.sort_by_key(|(_, function)| function["index"].as_u64());
    let count = functions.len();

    writeln!(rust, "pub(crate) const FUNCTION_COUNT: usize = {count};").unwrap();
    writeln!(rust, "pub(crate) static NAMES: [&CStr; {count}] = [").unwrap();
    for (name, _) in &functions {
        writeln!(rust, "    c\"{name}\",").unwrap();
    }
    writeln!(
        rust,
        "];\npub(crate) const MISSING: [unsafe extern \"system\" fn() -> !; {count}] = ["
    )
    .unwrap();
    for index in 0..count {
        writeln!(rust, "    missing::<{index}>,").unwrap();
    }
    writeln!(rust, "];\npub(crate) mod index {{").unwrap();
    for (index, (name, function)) in functions.iter().enumerate() {
        assert_eq!(
            function["index"].as_u64(),
            Some(index as u64),
            "{name} leaves a gap"
        );
        writeln!(rust, "    pub(crate) const {name}: usize = {index};").unwrap();
    }
    writeln!(rust, "}}\nmacro_rules! signature {{").unwrap();
    for (name, function) in &functions {
        let parameters: Vec<_> = function["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .map(rust_type)
            .collect();
        let returns = match function["returns"].as_str() {
            Some("void") | None => String::new(),
            Some(_) => format!(" -> {}", rust_type(&function["returns"])),
        };
        let parameters = parameters.join(", ");
        writeln!(
            rust,
            "    ({name}) => {{ unsafe extern \"system\" fn({parameters}){returns} }};"
        )
        .unwrap();
    }
    writeln!(rust, "}}\npub(crate) use signature;").unwrap();
}

fn enumerators(rust: &mut String, facts: &Value) {
    for (_, values) in object(&facts["enums"]).filter(|(name, _)| *name != "_WDFSTRUCTENUM") {
        for (name, value) in object(values) {
            let value = value.as_i64().expect("an enumerator is a number");
            writeln!(rust, "pub(crate) const {name}: u32 = {value};").unwrap();
        }
    }
}

/// A macro per structure, used where `kmdf.rs` declares it.
fn layouts(rust: &mut String, facts: &Value) {
    writeln!(rust, "macro_rules! assert_layout {{").unwrap();
    for (name, layout) in object(&facts["structs"]).chain(object(&facts["loader_structs"])) {
        let name = name.trim_start_matches('_');
        writeln!(rust, "    ({name}) => {{ const _: () = {{").unwrap();
        writeln!(
            rust,
            "        assert!(size_of::<{name}>() == {});",
            layout["size"]
        )
        .unwrap();
        for field in layout["fields"].as_array().expect("fields are a list") {
            let member = field[0].as_str().expect("a field has a name");
            writeln!(
                rust,
                "        assert!(offset_of!({name}, {member}) == {});",
                field[1]
            )
            .unwrap();
        }
        writeln!(rust, "    }}; }};").unwrap();
    }
    writeln!(rust, "}}").unwrap();
}

/// `const UNICODE_STRING *` is `*const UNICODE_STRING`, `WDFQUEUE *` is `*mut WDFQUEUE`.
fn rust_type(c: &Value) -> String {
    let c = c.as_str().expect("a type is a string");
    let Some(pointee) = c.strip_suffix('*') else {
        return c.to_owned();
    };
    match pointee.trim().strip_prefix("const ") {
        Some(pointee) => format!("*const {pointee}"),
        None => format!("*mut {}", pointee.trim()),
    }
}

fn object(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.as_str(), value))
}
