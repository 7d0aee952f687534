//! A session's ring, read in place: what a transport asks for, and what it gives.

use super::{Fault, Transport};
use ntwatch_protocol::ioctl::MAP_RING;
use ntwatch_protocol::mapped::{DATA_OFFSET, MapRing, MappedRing};
use ntwatch_ring::session::Consumer;
use ntwatch_ring::{SessionRing, SizeError};
use self_cell::self_cell;
use std::fmt;
use std::ptr::NonNull;
use std::time::Duration;
use zerocopy::{FromZeros, IntoBytes};

/// A ring that is mapped into this process.
#[derive(Debug)]
pub struct Mapping {
    /// Where it is.
    pub views: Views,
    /// What wakes who sleeps until there is something in it.
    pub wake: Box<dyn Wake>,
    /// Bytes in the ring at which the driver wakes who waits for many.
    pub wake_bytes: u32,
}

/// Wakes the reader of a ring.
pub trait Wake: fmt::Debug + Send {
    /// Sleeps until the driver signals or `timeout` is over; may also end for no reason. Ends with
    /// [`Fault::Stopped`] once [`Transport::stop_reads`] was called, and with [`Fault::Closed`]
    /// when nobody is there who could signal.
    ///
    /// # Errors
    /// Those, and when the system cannot wait.
    fn wait(&self, timeout: Option<Duration>) -> Result<Woken, Fault>;

    /// Was [`Transport::stop_reads`] called?
    fn is_stopped(&self) -> bool;
}

/// Why a sleep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// There may be something in the ring.
    Signalled,
    /// Nobody signalled for so long.
    TimedOut,
}

/// Why a session's ring cannot be read in place.
#[derive(Debug, thiserror::Error)]
pub enum Unmappable {
    /// [`crate::Way::Read`].
    #[error("reads were asked for")]
    Unwanted,
    /// Positions in the ring are of 64 bits.
    #[error("this is a 32-bit program")]
    ThirtyTwoBit,
    /// There, a driver is another process.
    #[error("Wine shares no memory between programs and drivers")]
    Wine,
    /// There is nothing to be woken by.
    #[error("no event can be made to be woken by: {0}")]
    NoEvent(#[source] Fault),
    /// The driver did not grant it.
    #[error("the driver refused it: {0}")]
    Refused(#[source] Fault),
    /// The driver granted it, and what came of it is of no use here. The session has no other way
    /// then.
    #[error("it cannot be mapped into this process: {0}")]
    Unusable(#[source] Fault),
}

/// Asks the driver for the ring of a session that has none yet. Gives its answer, and the bytes at
/// which it signals `wake_event` to who waits for `wake_bytes` (0: a quarter of the ring).
pub(crate) fn request(
    transport: &dyn Transport,
    ring_size: u32,
    wake_bytes: u32,
    wake_event: u64,
) -> Result<(MappedRing, u32), Unmappable> {
    let mut wanted = MapRing {
        size: size_of::<MapRing>() as u32,
        ring_size,
        wake_bytes,
        reserved: 0,
        wake_event,
    };
    wanted.wake_bytes = wake_bytes.min(wanted.ring_size() / 2);
    let mut answer = MappedRing::new_zeroed();
    let len = transport
        .control(MAP_RING, wanted.as_bytes(), answer.as_mut_bytes())
        .map_err(Unmappable::Refused)?;
    if len < size_of::<MappedRing>() {
        return Err(Unmappable::Unusable(Fault::ShortAnswer));
    }
    Ok((answer, wanted.wake_bytes()))
}

/// The views of a ring and of its consumer's page, and the part of the consumer.
#[derive(Debug)]
pub struct Views(Cell);

self_cell!(
    struct Cell {
        owner: Ring,
        #[covariant]
        dependent: Consumer,
    }
);

/// The ring, and what keeps it mapped.
struct Ring {
    ring: SessionRing<'static>,
    _mapped: Box<dyn Send>,
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let capacity = self.borrow_owner().ring.capacity();
        f.debug_struct("Ring").field("capacity", &capacity).finish()
    }
}

impl Views {
    /// Takes the consumer's part of a ring of `ring_size` bytes. At `ring` lies the section that
    /// the driver writes, at `consumer` the page that its reader does; `mapped` keeps both where
    /// they are.
    ///
    /// # Errors
    /// [`SizeError`] for a size that no ring has.
    ///
    /// # Safety
    /// Until `mapped` is dropped, [`DATA_OFFSET`]` + ring_size` bytes at `ring` can be read and the
    /// page at `consumer` can be written, both are aligned to 8 bytes, nobody else writes to the
    /// page, and who writes to the ring leaves records alone that are not released.
    pub unsafe fn new(
        ring: NonNull<u8>,
        ring_size: u32,
        consumer: NonNull<u8>,
        mapped: impl Send + 'static,
    ) -> Result<Self, SizeError> {
        // SAFETY: inside what is mapped there, as the caller promises.
        let data = unsafe { ring.add(DATA_OFFSET) };
        let records = NonNull::slice_from_raw_parts(data.cast(), ring_size as usize / 8);
        // SAFETY: the caller promises all of it for as long as `mapped` lives, which the ring and
        // its consumer do not outlive; the producer's part is not taken.
        let ring = unsafe { SessionRing::in_place(records, ring.cast(), consumer.cast(), 0) }?;
        let owner = Ring {
            ring,
            _mapped: Box::new(mapped),
        };
        Ok(Self(Cell::new(owner, |owner| {
            let consumer = owner.ring.consumer();
            consumer.expect("nobody has taken the consumer's part of a ring made just now")
        })))
    }

    /// What `with` makes of the consumer.
    pub(crate) fn consumer<'v, R>(
        &'v mut self,
        with: impl for<'r> FnOnce(&'v mut Consumer<'r>) -> R,
    ) -> R {
        self.0.with_dependent_mut(|_, consumer| with(consumer))
    }
}
