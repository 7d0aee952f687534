//! What the tests share.

use crate::facts::{Facts, Object, System, ThreadFacts};
use crate::process_table::ProcessId;
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

/// A Windows that tells nothing.
pub(crate) struct Silent;

impl System for Silent {
    type Buffer = Vec<u8>;

    fn process_facts(&self, _: Object, _: bool) -> Facts<Vec<u8>> {
        Facts {
            image_path: None,
            user: None,
            logon_id: None,
            integrity: None,
            elevated: None,
            session_id: None,
            wow64: None,
            protection: None,
            subsystem: None,
        }
    }

    fn image_path(&self, _: Object) -> Option<Vec<u8>> {
        None
    }

    fn thread_facts(&self, _: Object, _: bool) -> ThreadFacts {
        ThreadFacts::default()
    }

    fn process_create_time(&self, _: Object) -> Option<i64> {
        None
    }

    fn find_image(&self, _: ProcessId) -> Option<Vec<u8>> {
        None
    }

    fn release(&self, _: Object) {}

    fn upcase(&self, unit: u16) -> u16 {
        upcase(unit)
    }
}
