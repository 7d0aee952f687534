//! What the tests share.

use ntwatch_protocol::configure::{Clause, ConfigureHeader};
use std::vec::Vec;
use zerocopy::IntoBytes;

/// `text` in UTF-16LE.
pub(crate) fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// Upper case as Windows has it, near enough.
pub(crate) fn upcase(unit: u16) -> u16 {
    match unit {
        0x61..=0x7A => unit - 0x20,
        _ => unit,
    }
}

/// The input of CONFIGURE.
pub(crate) fn configure_input(mask: u32, ring_size: u32, clauses: &[Clause<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for clause in clauses {
        clause.write(&mut body);
    }
    let header = ConfigureHeader {
        size: (size_of::<ConfigureHeader>() + body.len()) as u32,
        event_mask: mask,
        ring_size,
        clauses: clauses.len() as u32,
    };
    [header.as_bytes(), &body].concat()
}
