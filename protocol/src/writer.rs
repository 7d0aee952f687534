//! From facts to a record, in memory that the caller has.

use crate::record::{MAX_RECORD_SIZE, RECORD_ALIGN, Span};
use zerocopy::{Immutable, IntoBytes};

/// The record does not fit where it was to be written, or no reader would take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom;

/// Bytes of a record with a fixed part `T` and these spans; `None` above [`MAX_RECORD_SIZE`].
#[must_use]
pub fn record_size<T>(spans: &[Option<&[u8]>]) -> Option<usize> {
    let mut size = size_of::<T>();
    for bytes in spans.iter().flatten() {
        size = size
            .checked_add(bytes.len())?
            .checked_next_multiple_of(RECORD_ALIGN)?;
    }
    size = size.checked_next_multiple_of(RECORD_ALIGN)?;
    (size <= MAX_RECORD_SIZE).then_some(size)
}

/// Lays out one record: spans first, then the fixed part that points at them.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut [u8],
    used: usize,
}

impl<'a> Writer<'a> {
    /// Begins a record with a fixed part `T` in `out`.
    ///
    /// # Errors
    /// [`NoRoom`] when not even that fits.
    pub fn new<T>(out: &'a mut [u8]) -> Result<Self, NoRoom> {
        let used = size_of::<T>()
            .checked_next_multiple_of(RECORD_ALIGN)
            .ok_or(NoRoom)?;
        if used > out.len() || used > MAX_RECORD_SIZE {
            return Err(NoRoom);
        }
        Ok(Self { out, used })
    }

    /// Adds a fact of variable size, or says that there is none.
    ///
    /// # Errors
    /// [`NoRoom`]; the record is then to be given up.
    pub fn span(&mut self, bytes: Option<&[u8]>) -> Result<Span, NoRoom> {
        let Some(bytes) = bytes else {
            return Ok(Span::ABSENT);
        };
        let end = self.used.checked_add(bytes.len()).ok_or(NoRoom)?;
        let padded = end.checked_next_multiple_of(RECORD_ALIGN).ok_or(NoRoom)?;
        if padded > MAX_RECORD_SIZE {
            return Err(NoRoom);
        }
        let room = self.out.get_mut(self.used..padded).ok_or(NoRoom)?;
        let (text, padding) = room.split_at_mut_checked(bytes.len()).ok_or(NoRoom)?;
        copy(text, bytes);
        padding.fill(0);
        let offset = u32::try_from(self.used).map_err(|_| NoRoom)?;
        let len = u32::try_from(bytes.len()).map_err(|_| NoRoom)?;
        self.used = padded;
        Ok(Span { offset, len })
    }

    /// Bytes of the record so far: what its header's `size` has to say.
    #[must_use]
    pub fn size(&self) -> u32 {
        // At most MAX_RECORD_SIZE, by construction.
        self.used as u32
    }

    /// Writes the fixed part and gives back the finished record.
    ///
    /// # Errors
    /// [`NoRoom`] when `T` is not the type that the writer was made for.
    pub fn finish<T: IntoBytes + Immutable>(self, fixed: &T) -> Result<&'a mut [u8], NoRoom> {
        let record = self.out.get_mut(..self.used).ok_or(NoRoom)?;
        fixed.write_to_prefix(record).map_err(|_| NoRoom)?;
        Ok(record)
    }
}

/// `copy_from_slice` without its panic: both sides are of one length by construction.
fn copy(to: &mut [u8], from: &[u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}
