//! Image load: the form is the record, with the name behind it.

use super::{bit, header};
use ntwatch_protocol::image::{self, flags, known};
use ntwatch_protocol::record::Kind;
use ntwatch_protocol::writer::{NoRoom, Writer, record_size};

/// What the notify routine was told of an image. The name may be pageable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageLoad<'a> {
    /// The process that it is mapped into; 0 for a kernel image.
    pub pid: u32,
    /// Its start key.
    pub key: Option<u64>,
    /// Now: 100 ns units since 1601, UTC.
    pub time: i64,
    /// Where it lies; 0 if that is not known.
    pub base: u64,
    /// In bytes; 0 if that is not known.
    pub size: u64,
    /// Bits of [`flags`].
    pub flags: u32,
    /// `ImageSignatureLevel`.
    pub signature_level: u32,
    /// `ImageSignatureType`.
    pub signature_type: u32,
    /// `FullImageName`, UTF-16LE.
    pub name: Option<&'a [u8]>,
}

impl ImageLoad<'_> {
    /// Bytes of the form; more than any ring has if no record can be so long.
    pub(crate) fn size(&self) -> usize {
        record_size::<image::ImageLoad>(&[self.name]).unwrap_or(usize::MAX)
    }

    /// Writes the form into as much room as [`Self::size`] says.
    pub(crate) fn write(&self, losses: u64, out: &mut [u8]) -> Result<(), NoRoom> {
        let mut writer = Writer::new::<image::ImageLoad>(out)?;
        let name = writer.span(self.name)?;
        let record = image::ImageLoad {
            header: header(Kind::ImageLoad, writer.size() as usize, losses, self.time),
            key: self.key.unwrap_or(0),
            base: self.base,
            size: self.size,
            pid: self.pid,
            known: bit(self.flags & flags::KERNEL == 0, known::PID)
                | bit(self.key.is_some(), known::KEY)
                | bit(self.base != 0, known::BASE)
                | bit(self.size != 0, known::SIZE),
            flags: self.flags,
            signature_level: self.signature_level,
            signature_type: self.signature_type,
            reserved: 0,
            name,
        };
        writer.finish(&record)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::ImageLoad;
    use ntwatch_protocol::image::{flags, known};
    use ntwatch_protocol::reader::{Record, Records};
    use ntwatch_protocol::wide::Wide;
    use proptest::prelude::*;
    use std::vec;

    proptest! {
        #[test]
        fn the_form_is_the_record(
            pid: u32,
            key: Option<u64>,
            time: i64,
            memory: [u64; 2],
            words: [u32; 3],
            name in prop::option::of(prop::collection::vec(any::<u8>(), 0..100)),
        ) {
            let load = ImageLoad {
                pid,
                key,
                time,
                base: memory[0],
                size: memory[1],
                flags: words[0],
                signature_level: words[1],
                signature_type: words[2],
                name: name.as_deref(),
            };
            let mut form = vec![0; load.size()];
            load.write(7, &mut form).unwrap();
            let mut records = Records::new(&form);
            let Some(Ok(Record::ImageLoad(record))) = records.next() else {
                panic!("an image load");
            };
            prop_assert!(records.next().is_none());
            prop_assert_eq!((record.header.seq, record.header.time), (7, time));
            prop_assert_eq!(record.name(), load.name.map(Wide::new));
            let user = !record.flag(flags::KERNEL);
            prop_assert_eq!(record.known(known::PID, record.pid), user.then_some(pid));
            prop_assert_eq!(record.known(known::KEY, record.key), key);
            prop_assert_eq!(record.known(known::BASE, record.base).unwrap_or(0), load.base);
            prop_assert_eq!(record.known(known::SIZE, record.size).unwrap_or(0), load.size);
            prop_assert_eq!(
                [record.flags, record.signature_level, record.signature_type],
                words
            );
        }
    }
}
