//! What stands before each page of a column (Apache Parquet's `parquet.thrift`, `PageHeader`).

use parquet::basic::Encoding;
use std::collections::BTreeMap;

/// No header that ntwatch writes has more bytes.
pub(super) const LONGEST: usize = 64;

/// A page, as ntwatch writes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PageHeader {
    pub(super) kind: Kind,
    /// Bytes of the page as it lies in the file.
    pub(super) packed: usize,
    /// And of what is in it.
    pub(super) unpacked: usize,
    /// How many values, those that are null among them.
    pub(super) values: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The values that others are one of.
    Dictionary,
    /// Levels, and values of this encoding.
    Data(Encoding),
}

impl PageHeader {
    /// From the first of these bytes. Gives how many they are, too; `None` if ntwatch writes no such
    /// header.
    pub(super) fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let mut compact = Compact(bytes);
        let mut numbers = BTreeMap::new();
        compact.structure(PAGE, &mut numbers)?;
        let number = |outer, field| numbers.get(&(outer, field)).copied();
        let size = |field| usize::try_from(number(PAGE, field)?).ok();
        let (kind, header) = match number(PAGE, 1)? {
            0 => (Kind::Data(encoding(number(DATA, 2)?)?), DATA),
            2 => (Kind::Dictionary, DICTIONARY),
            _ => return None,
        };
        let is_known = match kind {
            Kind::Data(_) => [3, 4].map(|levels| number(DATA, levels)) == [Some(RLE); 2],
            Kind::Dictionary => number(DICTIONARY, 2) == Some(PLAIN),
        };
        let read = Self {
            kind,
            unpacked: size(2)?,
            packed: size(3)?,
            values: u32::try_from(number(header, 1)?).ok()?,
        };
        is_known.then_some((read, bytes.len() - compact.0.len()))
    }
}

/// The structures: the header, and the fields of it that are others.
const PAGE: u8 = 0;
const DATA: u8 = 5;
const DICTIONARY: u8 = 7;

/// Encodings, by their numbers in the file.
const PLAIN: i64 = 0;
const RLE: i64 = 3;

/// Those that ntwatch writes values in.
const fn encoding(number: i64) -> Option<Encoding> {
    match number {
        PLAIN => Some(Encoding::PLAIN),
        8 => Some(Encoding::RLE_DICTIONARY),
        _ => None,
    }
}

/// Bytes of Thrift's compact protocol (Apache Thrift, "Thrift Compact protocol encoding").
struct Compact<'b>(&'b [u8]);

impl Compact<'_> {
    /// The numbers of a structure and of those in it, by structure and field. `None` if there is
    /// anything else in it.
    fn structure(&mut self, this: u8, numbers: &mut BTreeMap<(u8, u8), i64>) -> Option<()> {
        const STOP: u8 = 0;
        let mut field = 0_u8;
        loop {
            let head = self.byte()?;
            if head == STOP {
                return Some(());
            }
            field = match head >> 4 {
                // Its number would follow; those of headers are low.
                0 => return None,
                step => field.checked_add(step)?,
            };
            let number = match head & 0xf {
                truth @ 1..=2 => i64::from(truth == 1),
                4..=6 => self.integer()?,
                12 if this == PAGE => {
                    self.structure(field, numbers)?;
                    continue;
                }
                _ => return None,
            };
            numbers.insert((this, field), number);
        }
    }

    /// Seven bits a byte, the lowest first; the sign is the lowest of all.
    fn integer(&mut self) -> Option<i64> {
        let mut bits = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            bits |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some((bits >> 1).cast_signed() ^ -(bits & 1).cast_signed());
            }
        }
        None
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `type`, sizes of 300 and 20 bytes, and a dictionary of 3 values.
    const OF_DICTIONARY: [u8; 14] = [
        0x15, 4, 0x15, 0xd8, 0x04, 0x15, 40, 0x4c, 0x15, 6, 0x15, 0, 0, 0,
    ];

    #[test]
    fn a_header_ends_where_it_says() {
        let header = PageHeader {
            kind: Kind::Dictionary,
            packed: 20,
            unpacked: 300,
            values: 3,
        };
        let behind = [&OF_DICTIONARY[..], &[0xff; 9]].concat();
        assert_eq!(
            PageHeader::read(&behind),
            Some((header, OF_DICTIONARY.len()))
        );
        for len in 0..OF_DICTIONARY.len() {
            assert_eq!(PageHeader::read(&behind[..len]), None, "{len}");
        }
    }

    #[test]
    fn what_ntwatch_does_not_write_is_no_header() {
        for (at, byte) in [
            (1, 2),     // an index
            (1, 6),     // a page of the second version
            (4, 0x84),  // a size that goes on
            (6, 39),    // and one below 0
            (7, 0x5c),  // a structure that headers have not
            (11, 4),    // a dictionary in another encoding
            (12, 0x18), // text
        ] {
            let mut other = OF_DICTIONARY;
            other[at] = byte;
            assert_eq!(PageHeader::read(&other), None, "{byte:#x} at {at}");
        }
    }
}
