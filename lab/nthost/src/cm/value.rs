//! Values of keys.

use windows_sys::Win32::System::Registry::{REG_DWORD, REG_SZ, REG_VALUE_TYPE};

/// A value of a key (page "Registry Value Types").
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `REG_SZ`, stored with a NUL at its end.
    String(String),
    /// `REG_DWORD`.
    Dword(u32),
}

impl Value {
    pub(super) fn kind(&self) -> REG_VALUE_TYPE {
        match self {
            Value::String(_) => REG_SZ,
            Value::Dword(_) => REG_DWORD,
        }
    }

    /// The value as it is stored.
    pub(super) fn data(&self) -> Vec<u8> {
        match self {
            Value::String(text) => text
                .encode_utf16()
                .chain([0])
                .flat_map(u16::to_le_bytes)
                .collect(),
            Value::Dword(number) => number.to_le_bytes().into(),
        }
    }
}
