//! What a session wants to see: the input of CONFIGURE.
//!
//! A header, then clauses one after another. Clauses of one kind widen each other, those of
//! different kinds narrow: an event passes that is in the mask, and about one of the processes (if
//! any are named), and about one of the images (if any are named), and about none of those
//! excluded.
//!
//! What an event is *about*: a process event, its process; a thread event, the thread's process
//! and, for a start, its creator's; an image load, the process that it is mapped into, and a
//! kernel image none; a handle, the process that opens and the one that is opened, or whose thread
//! is.
//!
//! What is not known matches nothing: an event whose process has no known start key is never about
//! one that is named with a key, and an image that is not known is named by no pattern, neither to
//! include nor to leave out.
//!
//! A later CONFIGURE of a session replaces all of it. The descendants that were followed stay
//! followed if each process that was named with [`selector::DESCENDANTS`], to include (or to leave
//! out), is named in the same way again; else they are forgotten.

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

/// UTF-16 units of all image patterns together: each is held against the image of each event.
pub const MAX_PATTERN_UNITS_IN_ALL: usize = 8192;

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
    /// One of [`clause`].
    pub kind: u16,
    /// Bytes of the value; what is left of `size` is padding, and zero.
    pub value_len: u16,
}

/// Values of [`ClauseHeader::kind`].
pub mod clause {
    /// Value: a [`super::Selector`].
    pub const PROCESS: u16 = 1;
    /// Value: a pattern, UTF-16LE, not empty.
    pub const IMAGE: u16 = 2;
    /// Value: as for [`IMAGE`].
    pub const EXCLUDE_IMAGE: u16 = 3;
    /// Value: an [`super::AccessMasks`]. At most one.
    pub const ACCESS: u16 = 4;
    /// No value.
    pub const REMOTE_THREADS: u16 = 5;
    /// No value.
    pub const USER_IMAGES: u16 = 6;
}

/// The value of [`clause::PROCESS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Selector {
    /// Process id.
    pub pid: u32,
    /// Bits of [`selector`].
    pub flags: u32,
    /// Start key; 0 for whoever has the pid.
    pub key: u64,
}

/// Bits of [`Selector::flags`].
pub mod selector {
    /// Events about this process are left out.
    pub const EXCLUDE: u32 = 1 << 0;
    /// The processes that have it for a parent are meant too, and theirs in turn, as far as they
    /// start from now on. The driver keeps 4096 of them, in sets of eight by their identity; where
    /// a set is full it forgets the one that started none for longest.
    pub const DESCENDANTS: u32 = 1 << 1;
    /// All of them.
    pub const ALL: u32 = EXCLUDE | DESCENDANTS;
}

/// The value of [`clause::ACCESS`]: of which rights an open must ask for one to be told of; all
/// ones for every open, even one that asks for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct AccessMasks {
    /// Rights to processes.
    pub process: u32,
    /// Rights to threads.
    pub thread: u32,
}

impl AccessMasks {
    /// Every open.
    pub const ALL: Self = Self {
        process: u32::MAX,
        thread: u32::MAX,
    };
    /// Without the clause: every open that can do more than look.
    pub const DEFAULT: Self = Self {
        process: !crate::access::process::QUERY_ONLY,
        thread: !crate::access::thread::QUERY_ONLY,
    };

    /// Is an open that asks for `access` wanted, by a mask for its type?
    #[must_use]
    pub const fn wants(mask: u32, access: u32) -> bool {
        mask == u32::MAX || mask & access != 0
    }
}

/// One condition of a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clause<'a> {
    /// The event is about this process, or is not.
    Process(Selector),
    /// The event is about a process whose image matches: `*` stands for any text, `?` for one
    /// UTF-16 unit, case does not count. It is held against the full NT path (`\Device\…`), or,
    /// where the driver could not find that, the name that the process was started by
    /// (`\??\C:\…`); a pattern without a slash or backslash, against the last part of it alone.
    Image(Wide<'a>),
    /// The event is about no process whose image matches.
    ExcludeImage(Wide<'a>),
    /// Of handles, those.
    Access(AccessMasks),
    /// Of threads, only those that another process started; also one of which that is not known
    /// ([`crate::thread::known::REMOTE`]): better one too many. Of their exits, none: a thread
    /// that ends does not say who started it.
    RemoteThreads,
    /// Of images, only those mapped into a process.
    UserImages,
}

impl Clause<'_> {
    /// Adds the clause to `out`, as [`Configure::parse`] takes it if its value is in bounds.
    pub fn write(&self, out: &mut impl Extend<u8>) {
        let (kind, value) = match self {
            Clause::Process(selector) => (clause::PROCESS, selector.as_bytes()),
            Clause::Image(pattern) => (clause::IMAGE, pattern.as_bytes()),
            Clause::ExcludeImage(pattern) => (clause::EXCLUDE_IMAGE, pattern.as_bytes()),
            Clause::Access(masks) => (clause::ACCESS, masks.as_bytes()),
            Clause::RemoteThreads => (clause::REMOTE_THREADS, [].as_slice()),
            Clause::UserImages => (clause::USER_IMAGES, [].as_slice()),
        };
        let padding = value.len().wrapping_neg() % RECORD_ALIGN;
        let size = [size_of::<ClauseHeader>(), value.len(), padding]
            .into_iter()
            .fold(0, usize::saturating_add);
        let header = ClauseHeader {
            size: size as u32,
            kind,
            value_len: value.len() as u16,
        };
        out.extend(header.as_bytes().iter().copied());
        out.extend(value.iter().copied());
        out.extend(core::iter::repeat_n(0, padding));
    }
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
    /// A clause is cut off, unknown, or has a value that its kind cannot have; or there are too
    /// many of them, or too much of their patterns.
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
        let mut has_access = false;
        let mut pattern_units = 0usize;
        while !rest.is_empty() {
            let (clause, next) = split_clause(rest).ok_or(ConfigureError::BadClause)?;
            if matches!(clause, Clause::Access(_)) && core::mem::replace(&mut has_access, true) {
                return Err(ConfigureError::BadClause);
            }
            if let Clause::Image(pattern) | Clause::ExcludeImage(pattern) = clause {
                pattern_units = pattern_units.saturating_add(pattern.len());
            }
            rest = next;
            count = count.saturating_add(1);
        }
        if count != header.clauses
            || count > MAX_CLAUSES
            || pattern_units > MAX_PATTERN_UNITS_IN_ALL
        {
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
        clause::PROCESS => {
            let selector = Selector::read_from_bytes(value).ok()?;
            if selector.flags & !selector::ALL != 0 {
                return None;
            }
            Clause::Process(selector)
        }
        clause::IMAGE => Clause::Image(pattern(value)?),
        clause::EXCLUDE_IMAGE => Clause::ExcludeImage(pattern(value)?),
        clause::ACCESS => Clause::Access(AccessMasks::read_from_bytes(value).ok()?),
        clause::REMOTE_THREADS if value.is_empty() => Clause::RemoteThreads,
        clause::USER_IMAGES if value.is_empty() => Clause::UserImages,
        _ => return None,
    };
    Some((clause, rest))
}

fn pattern(value: &[u8]) -> Option<Wide<'_>> {
    let pattern = Wide::new(value);
    let units = 1..=MAX_PATTERN_UNITS;
    (value.len().is_multiple_of(2) && units.contains(&pattern.len())).then_some(pattern)
}

const _: () = {
    assert!(size_of::<Selector>() == 16);
    assert!(size_of::<AccessMasks>() == 8);
    assert!(size_of::<ConfigureHeader>() == 16);
    assert!(size_of::<ClauseHeader>() == 8);
};
