//! Images: programs, libraries and drivers.

use super::{Hex, ProcessRef};
use serde::{Serialize, Serializer};
use std::fmt;
use std::sync::Arc;

/// An image was mapped to be run. Mappings that cannot be run are not told of.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ImageLoad {
    /// The process that it is mapped into; `None` for the kernel's.
    pub process: Option<ProcessRef>,
    /// The image itself.
    pub image: Image,
}

/// Facts of an image (pages "PLOAD_IMAGE_NOTIFY_ROUTINE" and "IMAGE_INFO").
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Image {
    /// DOS path where the volume is mapped, else NT path. Windows does not always give it.
    pub path: Option<Arc<str>>,
    /// Where it lies.
    pub base: Option<Hex>,
    /// In bytes.
    pub size: Option<Hex>,
    /// Is it the kernel's?
    pub kernel: bool,
    /// Who vouches for it, by Code Integrity.
    pub signature_level: SignatureLevel,
    /// Where its signature was found.
    pub signature_type: SignatureType,
    /// Was only a part of it mapped?
    pub partial_map: bool,
    /// Was it made for another processor?
    pub machine_mismatch: bool,
}

/// `SE_SIGNING_LEVEL_*`: a word for those that Windows names, else `0x…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureLevel(pub u32);

impl fmt::Display for SignatureLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            0 => "unchecked",
            1 => "unsigned",
            2 => "enterprise",
            // Also CUSTOM_1.
            3 => "developer",
            4 => "authenticode",
            5 => "custom_2",
            6 => "store",
            // Also CUSTOM_3.
            7 => "antimalware",
            8 => "microsoft",
            9 => "custom_4",
            10 => "custom_5",
            11 => "dynamic_codegen",
            12 => "windows",
            13 => "custom_7",
            14 => "windows_tcb",
            15 => "custom_6",
            other => return write!(f, "{other:#x}"),
        })
    }
}

impl Serialize for SignatureLevel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// `SE_IMAGE_SIGNATURE_TYPE`: a word for those that Windows names, else `0x…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureType(pub u32);

impl fmt::Display for SignatureType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            0 => "none",
            1 => "embedded",
            2 => "cache",
            3 => "catalog_cached",
            4 => "catalog_not_cached",
            5 => "catalog_hint",
            6 => "package_catalog",
            7 => "ppl_mitigated",
            other => return write!(f, "{other:#x}"),
        })
    }
}

impl Serialize for SignatureType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
