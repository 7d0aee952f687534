//! Images: programs, libraries and drivers.

use super::{Hex, ProcessRef, text};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// An image was mapped to be run. Mappings that cannot be run are not told of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageLoad {
    /// The process that it is mapped into; `None` for the kernel's.
    pub process: Option<ProcessRef>,
    /// The image itself.
    pub image: Image,
}

/// Facts of an image (pages "PLOAD_IMAGE_NOTIFY_ROUTINE" and "IMAGE_INFO").
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// As [`super::Process::sha256`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Arc<str>>,
}

/// `SE_SIGNING_LEVEL_*` of `ntddk.h` (page "IMAGE_INFO", `ImageSignatureLevel`): a word for those
/// that Windows names, else `0x…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureLevel(pub u32);

/// The words for them, by number. 3 is also CUSTOM_1, 7 also CUSTOM_3.
pub(super) const LEVELS: [&str; 16] = [
    "unchecked",
    "unsigned",
    "enterprise",
    "developer",
    "authenticode",
    "custom_2",
    "store",
    "antimalware",
    "microsoft",
    "custom_4",
    "custom_5",
    "dynamic_codegen",
    "windows",
    "custom_7",
    "windows_tcb",
    "custom_6",
];

impl SignatureLevel {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> Cow<'static, str> {
        text::name(&LEVELS, self.0)
    }
}

impl fmt::Display for SignatureLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

impl FromStr for SignatureLevel {
    type Err = text::Unknown;

    fn from_str(text: &str) -> Result<Self, text::Unknown> {
        text::number(&LEVELS, text).map(Self)
    }
}

text::in_json!(SignatureLevel, name);

/// `SE_IMAGE_SIGNATURE_TYPE` of `ntddk.h` (page "IMAGE_INFO", `ImageSignatureType`): a word for
/// those that Windows names, else `0x…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureType(pub u32);

/// The words for them, by number.
pub(super) const TYPES: [&str; 8] = [
    "none",
    "embedded",
    "cache",
    "catalog_cached",
    "catalog_not_cached",
    "catalog_hint",
    "package_catalog",
    "ppl_mitigated",
];

impl SignatureType {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> Cow<'static, str> {
        text::name(&TYPES, self.0)
    }
}

impl fmt::Display for SignatureType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

impl FromStr for SignatureType {
    type Err = text::Unknown;

    fn from_str(text: &str) -> Result<Self, text::Unknown> {
        text::number(&TYPES, text).map(Self)
    }
}

text::in_json!(SignatureType, name);
