//! Windows' strings inside a record.

use core::fmt;

/// UTF-16LE text that lies in a record, of whatever alignment. Windows does not promise that it
/// is well formed.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Wide<'a>(&'a [u8]);

impl<'a> Wide<'a> {
    /// Text of an even number of bytes; a last odd byte is not part of it.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The bytes as they lie.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// Length in UTF-16 units.
    #[must_use]
    pub const fn len(self) -> usize {
        self.0.len() / 2
    }

    /// Is there nothing in it?
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The UTF-16 units.
    pub fn units(self) -> impl DoubleEndedIterator<Item = u16> + Clone + 'a {
        self.0
            .as_chunks::<2>()
            .0
            .iter()
            .map(|unit| u16::from_le_bytes(*unit))
    }

    /// The characters; an unpaired surrogate becomes U+FFFD.
    pub fn chars(self) -> impl Iterator<Item = char> + 'a {
        char::decode_utf16(self.units()).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
    }
}

impl fmt::Display for Wide<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.chars().try_for_each(|c| fmt::Write::write_char(f, c))
    }
}

impl fmt::Debug for Wide<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}
