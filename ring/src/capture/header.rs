//! The word before each record.

/// Bytes of a header.
pub(super) const SIZE: u64 = 8;

const WRITTEN: u64 = 1 << 31;
const DISCARDED: u64 = 1 << 30;
const LEN: u64 = DISCARDED - 1;
const TAG_SHIFT: u32 = 32;

/// Length (30 bits), discarded, written, tag (32 bits). Zero is a record that is still being
/// filled, or none at all.
#[derive(Clone, Copy)]
pub(super) struct Header(pub(super) u64);

impl Header {
    #[inline]
    pub(super) const fn committed(tag: u32, len: u64) -> Self {
        Self((tag as u64) << TAG_SHIFT | WRITTEN | (len & LEN))
    }

    #[inline]
    pub(super) const fn discarded(len: u64) -> Self {
        Self(DISCARDED | WRITTEN | (len & LEN))
    }

    #[inline]
    pub(super) const fn is_written(self) -> bool {
        self.0 & WRITTEN != 0
    }

    #[inline]
    pub(super) const fn is_discarded(self) -> bool {
        self.0 & DISCARDED != 0
    }

    /// Bytes of content.
    #[inline]
    pub(super) const fn len(self) -> u64 {
        self.0 & LEN
    }

    #[inline]
    pub(super) const fn tag(self) -> u32 {
        (self.0 >> TAG_SHIFT) as u32
    }
}

/// Bytes that a record of `len` bytes takes, header and rounding included. `len` has 30 bits.
#[inline]
pub(super) const fn record_size(len: u64) -> u64 {
    SIZE + ((len + 7) & !7)
}
