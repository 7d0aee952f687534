//! What a record in the capture ring looks like.
//!
//! Written by callbacks and read by the worker of the same driver; never leaves it. Every form
//! begins as the event record that it becomes, with the number of events lost before it where the
//! sequence number will be. What the worker has nothing to add to is that record already.

mod handle;
mod image;
mod process;
mod thread;

pub use handle::HandleOpen;
pub use image::ImageLoad;
pub use process::{ProcessExit, ProcessStart};
pub use thread::{ThreadExit, ThreadStart};

use crate::facts::Object;
use ntwatch_protocol::record::{Kind, RecordHeader};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// How a form begins whose record holds a reference.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
struct Held {
    header: RecordHeader,
    /// See [`Object`]; 0 for none.
    object: u64,
}

impl Held {
    const fn new(header: RecordHeader, object: Option<Object>) -> Self {
        let object = match object {
            Some(Object(object)) => object,
            None => 0,
        };
        Self { header, object }
    }
}

/// How a form of `size` bytes begins.
const fn header(kind: Kind, size: usize, losses: u64, time: i64) -> RecordHeader {
    RecordHeader {
        // Reserved already: below the ring's 30-bit lengths.
        size: size as u32,
        kind: kind as u16,
        reserved: 0,
        seq: losses,
        time,
    }
}

/// Events that were lost before this one.
pub(crate) fn losses(form: &[u8]) -> Option<u64> {
    Some(RecordHeader::read_from_prefix(form).ok()?.0.seq)
}

/// The reference that a record holds, if it does.
pub(crate) fn object(kind: Kind, form: &[u8]) -> Option<Object> {
    if !matches!(
        kind,
        Kind::ProcessStart | Kind::ProcessExit | Kind::ThreadStart
    ) {
        return None;
    }
    let (held, _) = Held::read_from_prefix(form).ok()?;
    (held.object != 0).then_some(Object(held.object))
}

/// A bit of a set of flags.
pub(crate) const fn bit(is: bool, bit: u32) -> u32 {
    if is { bit } else { 0 }
}
