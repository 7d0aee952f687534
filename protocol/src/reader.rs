//! From bytes that may be anything to typed records.

use crate::handle::HandleOpen;
use crate::image::ImageLoad;
use crate::lost::Lost;
use crate::process::{ProcessExit, ProcessStart};
use crate::record::{Kind, MAX_RECORD_SIZE, RECORD_ALIGN, RecordHeader, Span};
use crate::thread::{ThreadExit, ThreadStart};
use crate::wide::Wide;
use core::fmt;
use zerocopy::{FromBytes, Immutable, KnownLayout};

/// Why bytes are not a record. Offsets are from the start of the bytes that were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// The bytes end inside a record.
    Truncated {
        /// Where the record begins.
        offset: usize,
    },
    /// A size that no record has: not a multiple of 8, below the header's or above the largest.
    BadSize {
        /// Where the record begins.
        offset: usize,
        /// What it says.
        size: u32,
    },
    /// A record too small for its kind, or with a span that leaves it.
    BadBody {
        /// Where the record begins.
        offset: usize,
        /// What it says it is.
        kind: Kind,
    },
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { offset } => write!(f, "the record at byte {offset} is cut off"),
            Self::BadSize { offset, size } => {
                write!(
                    f,
                    "the record at byte {offset} claims an impossible size, {size} bytes"
                )
            }
            Self::BadBody { offset, kind } => {
                write!(
                    f,
                    "the {} record at byte {offset} is malformed",
                    kind.name()
                )
            }
        }
    }
}

impl core::error::Error for ReadError {}

/// A record, checked: no accessor fails or reads outside it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Record<'a> {
    /// See [`ProcessStart`].
    ProcessStart(View<'a, ProcessStart>),
    /// See [`ProcessExit`].
    ProcessExit(View<'a, ProcessExit>),
    /// See [`ThreadStart`].
    ThreadStart(View<'a, ThreadStart>),
    /// See [`ThreadExit`].
    ThreadExit(View<'a, ThreadExit>),
    /// See [`ImageLoad`].
    ImageLoad(View<'a, ImageLoad>),
    /// See [`HandleOpen`].
    HandleOpen(View<'a, HandleOpen>),
    /// See [`Lost`].
    Lost(View<'a, Lost>),
    /// Of a kind that this version does not know.
    Unknown(RecordHeader),
}

impl Record<'_> {
    /// What every record begins with.
    #[must_use]
    pub const fn header(&self) -> &RecordHeader {
        match self {
            Record::ProcessStart(view) => &view.fixed.header,
            Record::ProcessExit(view) => &view.fixed.header,
            Record::ThreadStart(view) => &view.fixed.header,
            Record::ThreadExit(view) => &view.fixed.header,
            Record::ImageLoad(view) => &view.fixed.header,
            Record::HandleOpen(view) => &view.fixed.header,
            Record::Lost(view) => &view.fixed.header,
            Record::Unknown(header) => header,
        }
    }
}

/// The fixed part of a record, and the bytes that its spans point into.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View<'a, T> {
    fixed: T,
    bytes: &'a [u8],
}

impl<T> core::ops::Deref for View<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.fixed
    }
}

impl<'a, T> View<'a, T> {
    fn span(&self, span: Span) -> Option<&'a [u8]> {
        if span.offset == 0 {
            return None;
        }
        self.bytes
            .get(span.offset as usize..)?
            .get(..span.len as usize)
    }

    fn text(&self, span: Span) -> Option<Wide<'a>> {
        self.span(span).map(Wide::new)
    }
}

impl<'a> View<'a, ProcessStart> {
    /// The name as the notify routine saw it.
    #[must_use]
    pub fn image_name(&self) -> Option<Wide<'a>> {
        self.text(self.image_name)
    }

    /// The full path that the worker found.
    #[must_use]
    pub fn image_path(&self) -> Option<Wide<'a>> {
        self.text(self.image_path)
    }

    /// The command line.
    #[must_use]
    pub fn command_line(&self) -> Option<Wide<'a>> {
        self.text(self.command_line)
    }

    /// The user's SID, binary.
    #[must_use]
    pub fn user(&self) -> Option<&'a [u8]> {
        self.span(self.user)
    }
}

/// `value`, if `bit` is among the facts that Windows gave.
fn known<V>(known: u32, bit: u32, value: V) -> Option<V> {
    (known & bit != 0).then_some(value)
}

/// The two words of bits that a record of a kind with optional numbers has.
macro_rules! bits {
    ($($record:ty: $module:ident),*) => {$(
        impl View<'_, $record> {
            #[doc = concat!("`value`, if Windows gave the fact that `bit` of [`crate::", stringify!($module), "::known`] stands for.")]
            pub fn known<V>(&self, bit: u32, value: V) -> Option<V> {
                known(self.known, bit, value)
            }

            #[doc = concat!("Is `bit` of [`crate::", stringify!($module), "::flags`] set?")]
            #[must_use]
            pub fn flag(&self, bit: u32) -> bool {
                self.flags & bit != 0
            }
        }
    )*};
}

bits! {
    ProcessStart: process,
    ThreadStart: thread,
    ImageLoad: image,
    HandleOpen: handle
}

impl<'a> View<'a, ProcessExit> {
    /// The image's full path, or the name that it was started by.
    #[must_use]
    pub fn image(&self) -> Option<Wide<'a>> {
        self.text(self.image)
    }
}

impl<'a> View<'a, ImageLoad> {
    /// The name that the notify routine was given: `\Device\…`, or for kernel images also
    /// `\SystemRoot\…`.
    #[must_use]
    pub fn name(&self) -> Option<Wide<'a>> {
        self.text(self.name)
    }
}

/// The records in `bytes`, one after another. After an error there is no next.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Records<'a> {
    /// Reads what a READ_EVENTS request brought.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            offset: 0,
        }
    }

    fn read(&mut self) -> Result<Record<'a>, ReadError> {
        let offset = self.offset;
        let cut = ReadError::Truncated { offset };
        let (header, _) = RecordHeader::read_from_prefix(self.rest).map_err(|_| cut)?;
        let size = header.size as usize;
        if size < size_of::<RecordHeader>()
            || size > MAX_RECORD_SIZE
            || !size.is_multiple_of(RECORD_ALIGN)
        {
            return Err(ReadError::BadSize {
                offset,
                size: header.size,
            });
        }
        let (bytes, rest) = self.rest.split_at_checked(size).ok_or(cut)?;
        let Some(kind) = Kind::from_wire(header.kind) else {
            self.advance(rest, size);
            return Ok(Record::Unknown(header));
        };
        let record = match kind {
            Kind::ProcessStart => view(bytes, |r: &ProcessStart| {
                [r.image_name, r.image_path, r.command_line, r.user]
            })
            .map(Record::ProcessStart),
            Kind::ProcessExit => view(bytes, |r: &ProcessExit| [r.image]).map(Record::ProcessExit),
            Kind::ThreadStart => view(bytes, |_: &ThreadStart| []).map(Record::ThreadStart),
            Kind::ThreadExit => view(bytes, |_: &ThreadExit| []).map(Record::ThreadExit),
            Kind::ImageLoad => view(bytes, |r: &ImageLoad| [r.name]).map(Record::ImageLoad),
            Kind::HandleOpen => view(bytes, |_: &HandleOpen| []).map(Record::HandleOpen),
            Kind::Lost => view(bytes, |_: &Lost| []).map(Record::Lost),
        };
        let record = record.ok_or(ReadError::BadBody { offset, kind })?;
        self.advance(rest, size);
        Ok(record)
    }

    fn advance(&mut self, rest: &'a [u8], size: usize) {
        self.rest = rest;
        self.offset = self.offset.saturating_add(size);
    }
}

/// The record's fixed part, if there is room for it and every span lies behind it and inside.
fn view<T: FromBytes + KnownLayout + Immutable, const N: usize>(
    bytes: &[u8],
    spans: impl Fn(&T) -> [Span; N],
) -> Option<View<'_, T>> {
    let (fixed, _) = T::read_from_prefix(bytes).ok()?;
    for span in spans(&fixed) {
        let end = u64::from(span.offset).saturating_add(u64::from(span.len));
        let inside = span.offset as usize >= size_of::<T>() && end <= bytes.len() as u64;
        if !inside && span != Span::ABSENT {
            return None;
        }
    }
    Some(View { fixed, bytes })
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let record = self.read();
        if record.is_err() {
            self.rest = &[];
        }
        Some(record)
    }
}
