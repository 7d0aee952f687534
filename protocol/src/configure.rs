//! What a session wants to see: the input of CONFIGURE.
//!
//! A header, then clauses one after another. Clauses of one kind widen each other, those of
//! different kinds narrow: an event passes that is in the mask, and about one of the pids (if any
//! are named), and about one of the images (if any are named).

use crate::record::{Kind, RECORD_ALIGN};
use crate::wide::Wide;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The smallest ring that a session can have, in bytes: room for a few of the largest records.
pub const MIN_RING_SIZE: u32 = 1 << 20;
/// What a `ring_size` of 0 stands for, in bytes.
pub const DEFAULT_RING_SIZE: u32 = 4 << 20;
/// The largest ring that a session can have, in bytes.
pub const MAX_RING_SIZE: u32 = 64 << 20;
/// No CONFIGURE is longer, in bytes.
pub const MAX_CONFIGURE_SIZE: usize = 64 * 1024;
/// No more clauses than this.
pub const MAX_CLAUSES: u32 = 1024;
/// UTF-16 units of the longest image pattern.
pub const MAX_PATTERN_UNITS: usize = 1024;

/// How the input of CONFIGURE begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct ConfigureHeader {
    /// Bytes of the whole input.
    pub size: u32,
    /// Bit mask of [`Kind::bit`]; at least one.
    pub event_mask: u32,
    /// Bytes of the session's ring: a power of two from [`MIN_RING_SIZE`] to [`MAX_RING_SIZE`],
    /// or 0 for the default or, in a later CONFIGURE, for what it is.
    pub ring_size: u32,
    /// How many clauses follow.
    pub clauses: u32,
}

/// How a clause begins; its value follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct ClauseHeader {
    /// Bytes of the clause, this header among them; a multiple of 8.
    pub size: u32,
    /// [`clause::PID`] or [`clause::IMAGE`].
    pub kind: u16,
    /// Bytes of the value; what is left of `size` is padding, and zero.
    pub value_len: u16,
}

/// Values of [`ClauseHeader::kind`].
pub mod clause {
    /// Value: a pid, 4 bytes.
    pub const PID: u16 = 1;
    /// Value: a pattern, UTF-16LE, not empty.
    pub const IMAGE: u16 = 2;
}

/// One condition of a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clause<'a> {
    /// The event is about this process.
    Pid(u32),
    /// The event is about a process whose image matches: `*` stands for any text, `?` for one
    /// UTF-16 unit, case does not count. It is held against the full NT path (`\Device\…`), or,
    /// where the driver could not find that, the name that the process was started by
    /// (`\??\C:\…`); a pattern without a slash or backslash, against the last part of it alone.
    Image(Wide<'a>),
}

/// Why bytes are not a CONFIGURE. The driver answers each with `STATUS_INVALID_PARAMETER`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigureError {
    /// The header is cut off, or its size is not that of the input.
    BadSize,
    /// No event asked for, or one that this version does not have.
    BadMask,
    /// Not a power of two, or out of bounds.
    BadRingSize,
    /// A clause is cut off, unknown, or has a value that its kind cannot have.
    BadClause,
}

/// A CONFIGURE whose every part was checked.
#[derive(Clone, Copy, Debug)]
pub struct Configure<'a> {
    /// See [`ConfigureHeader::event_mask`].
    pub event_mask: u32,
    /// See [`ConfigureHeader::ring_size`].
    pub ring_size: u32,
    clauses: &'a [u8],
}

impl<'a> Configure<'a> {
    /// Checks all of `bytes`.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ConfigureError> {
        let (header, clauses) =
            ConfigureHeader::read_from_prefix(bytes).map_err(|_| ConfigureError::BadSize)?;
        if header.size as usize != bytes.len() || bytes.len() > MAX_CONFIGURE_SIZE {
            return Err(ConfigureError::BadSize);
        }
        if header.event_mask == 0 || header.event_mask & !Kind::ALL_EVENTS != 0 {
            return Err(ConfigureError::BadMask);
        }
        let ring = header.ring_size;
        if ring != 0 && !(ring.is_power_of_two() && (MIN_RING_SIZE..=MAX_RING_SIZE).contains(&ring))
        {
            return Err(ConfigureError::BadRingSize);
        }
        let mut rest = clauses;
        let mut count = 0u32;
        while !rest.is_empty() {
            (_, rest) = split_clause(rest).ok_or(ConfigureError::BadClause)?;
            count = count.saturating_add(1);
        }
        if count != header.clauses || count > MAX_CLAUSES {
            return Err(ConfigureError::BadClause);
        }
        Ok(Self {
            event_mask: header.event_mask,
            ring_size: ring,
            clauses,
        })
    }

    /// The conditions, in the order they were given.
    pub fn clauses(&self) -> impl Iterator<Item = Clause<'a>> + Clone + use<'a> {
        let mut rest = self.clauses;
        core::iter::from_fn(move || {
            let (clause, next) = split_clause(rest)?;
            rest = next;
            Some(clause)
        })
    }
}

/// The first clause of `bytes` and what follows it.
fn split_clause(bytes: &[u8]) -> Option<(Clause<'_>, &[u8])> {
    let (header, _) = ClauseHeader::read_from_prefix(bytes).ok()?;
    let size = header.size as usize;
    let (clause, rest) = bytes.split_at_checked(size)?;
    let body = clause.get(size_of::<ClauseHeader>()..)?;
    let (value, padding) = body.split_at_checked(usize::from(header.value_len))?;
    if !size.is_multiple_of(RECORD_ALIGN)
        || padding.len() >= RECORD_ALIGN
        || padding.iter().any(|byte| *byte != 0)
    {
        return None;
    }
    let clause = match header.kind {
        clause::PID => Clause::Pid(u32::from_le_bytes(value.try_into().ok()?)),
        clause::IMAGE if value.len().is_multiple_of(2) => {
            let pattern = Wide::new(value);
            if pattern.is_empty() || pattern.len() > MAX_PATTERN_UNITS {
                return None;
            }
            Clause::Image(pattern)
        }
        _ => return None,
    };
    Some((clause, rest))
}

const _: () = {
    assert!(size_of::<ConfigureHeader>() == 16);
    assert!(size_of::<ClauseHeader>() == 8);
};
