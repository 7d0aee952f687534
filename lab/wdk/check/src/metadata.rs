//! Microsoft's metadata of the kernel's interface, as the crate `windows-sys` has it.

/// What the metadata says of a structure that the kit declares.
#[derive(Debug)]
pub struct Comparison {
    /// What is compared, for example `offset of MDL::Size`.
    pub what: &'static str,
    /// The kit's value, in bytes.
    pub kit: usize,
    /// The metadata's value, in bytes.
    pub metadata: usize,
}

#[allow(
    ambiguous_glob_reexports,
    unused_imports,
    reason = "names are looked up in all of it"
)]
mod all {
    pub(super) use windows_sys::{
        Wdk::{
            Foundation::*,
            Storage::FileSystem::*,
            System::{Registry::*, SystemInformation::*, SystemServices::*, Threading::*},
        },
        Win32::{
            Foundation::*,
            Security::*,
            System::{
                Diagnostics::Debug::*, IO::*, Kernel::*, Memory::*, Power::*, SystemInformation::*,
                SystemServices::*, Threading::*, WindowsProgramming::*,
            },
        },
    };
}

// `COMPARISONS`, and an import of every function that the images import.
include!(concat!(env!("OUT_DIR"), "/metadata.rs"));
