//! Tokens and access checks.

use windows_sys::Win32::Foundation::{NTSTATUS, STATUS_ACCESS_DENIED};

use crate::ob::{Kind, Object};

/// An access token.
#[derive(Debug, Clone)]
pub struct Token {
    /// The user's SID, as text.
    pub user: String,
    /// The SIDs of the enabled groups, as text.
    pub groups: Vec<String>,
}

impl Object for Token {
    const KIND: Kind = Kind::Token;
    fn describe(&self) -> String {
        format!("of {}", self.user)
    }
}

impl Token {
    /// The token of the System process.
    pub fn system() -> Token {
        Token {
            user: "S-1-5-18".into(),
            groups: vec!["S-1-5-32-544".into()],
        }
    }
}

/// Decides whether `token` may have `desired` access to what `descriptor` (self-relative)
/// protects. Returns the access granted, generic rights mapped for files.
///
/// # Errors
/// `STATUS_ACCESS_DENIED`.
pub fn access_check(descriptor: &[u8], token: &Token, desired: u32) -> Result<u32, NTSTATUS> {
    if descriptor.is_empty() || token.groups.iter().any(|sid| sid == "S-1-5-32-544") {
        return Ok(desired);
    }
    Err(STATUS_ACCESS_DENIED)
}
