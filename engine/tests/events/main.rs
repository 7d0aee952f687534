//! What becomes of an event on its way from a callback to a read.

mod account;
mod client;
mod filters;
mod machine;
mod mapped;
mod process;
mod sources;
mod windows;
mod wish;

use ntwatch_protocol::reader::{Record, Records};

/// Bytes of rings that hold all that a test tells.
const CAPTURE_RING: usize = 1 << 20;
const SESSION_RING: usize = 1 << 20;

const NOW: i64 = 133_000_000_000_000_000;

/// `text` in UTF-16LE.
fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn upcase(unit: u16) -> u16 {
    match unit {
        0x61..=0x7A => unit - 0x20,
        _ => unit,
    }
}

/// The records of a read, which must all be well formed.
fn records(bytes: &[u8]) -> Vec<Record<'_>> {
    Records::new(bytes).map(Result::unwrap).collect()
}
