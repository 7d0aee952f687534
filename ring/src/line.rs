//! Keeping what different processors write on different cache lines.

use core::ops::Deref;

/// Two lines, as processors fetch them in pairs.
const APART: usize = 128;

/// A value with more than a cache line between it and whatever comes after it.
///
/// By padding, not by alignment: kernel pool is aligned to 16 bytes, and so is what the driver's
/// allocator gives for a type that asks for more.
#[repr(C)]
pub(crate) struct Line<T> {
    value: T,
    apart: [u8; APART],
}

impl<T> Line<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            value,
            apart: [0; APART],
        }
    }
}

impl<T> Deref for Line<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}
