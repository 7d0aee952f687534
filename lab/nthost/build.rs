//! Says of the processor what some tests need it to have.

use std::fs;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(protection_keys)");
    println!("cargo::rerun-if-changed=build.rs");
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    if processor.split_whitespace().any(|flag| flag == "ospke") {
        println!("cargo::rustc-cfg=protection_keys");
    }
}
