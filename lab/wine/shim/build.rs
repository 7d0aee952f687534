//! Has the linker export what Wine implements, too.

use std::env;
use std::path::PathBuf;

fn main() {
    let forwards = "forwards.def";
    println!("cargo::rerun-if-changed={forwards}");
    let here = env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let forwards = PathBuf::from(here).join(forwards);
    println!("cargo::rustc-cdylib-link-arg={}", forwards.display());
}
