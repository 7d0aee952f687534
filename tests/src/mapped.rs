//! A session's ring that a test reads in place.
#![allow(unsafe_code)]

use crate::lab::PATIENCE;
use nthost::io::{Client, FileHandle};
use nthost::mm::View;
use ntwatch_protocol::ioctl::MAP_RING;
use ntwatch_protocol::mapped::{DATA_OFFSET, MapRing, MappedRing};
use ntwatch_ring::SessionRing;
use ntwatch_ring::session::{Asleep, Consumer, Until, state};
use std::ptr::NonNull;
use zerocopy::{FromBytes, IntoBytes};

/// Both views of a session's ring, and the event that wakes its reader.
pub struct Mapped {
    /// Uses the views.
    consumer: Consumer<'static>,
    ring: View,
    word: View,
    event: usize,
}

/// The input of MAP_RING.
#[must_use]
pub fn map_ring_input(ring_size: u32, wake_event: usize) -> MapRing {
    MapRing {
        size: size_of::<MapRing>() as u32,
        ring_size,
        wake_bytes: 0,
        reserved: 0,
        wake_event: wake_event as u64,
    }
}

/// Asks for the handles of a ring.
///
/// # Errors
/// The NTSTATUS that it was refused with.
///
/// # Panics
/// When the answer is cut off.
pub fn map_ring(handle: &FileHandle, input: &MapRing) -> Result<MappedRing, i32> {
    let done = handle.ioctl(MAP_RING, input.as_bytes(), size_of::<MappedRing>());
    if done.status != 0 {
        return Err(done.status);
    }
    Ok(MappedRing::read_from_bytes(&done.output).expect("a whole answer"))
}

impl Mapped {
    /// Gives the session of `handle` a ring of `ring_size` bytes (0 for the default) that is read
    /// in place, and closes the handles that it came by.
    ///
    /// # Panics
    /// When anything is refused.
    #[must_use]
    pub fn new(client: &Client, handle: &FileHandle, ring_size: u32) -> Self {
        let event = client.create_event().expect("a process may have an event");
        Self::with(client, handle, &map_ring_input(ring_size, event))
    }

    /// As [`Mapped::new`], as `input` asks for it.
    ///
    /// # Panics
    /// When anything is refused.
    #[must_use]
    pub fn with(client: &Client, handle: &FileHandle, input: &MapRing) -> Self {
        let sections =
            map_ring(handle, input).unwrap_or_else(|status| panic!("MAP_RING: {status:#x}"));
        Self::of(client, &sections, input.wake_event as usize)
    }

    /// The ring that `sections` are of, whose handles are closed, and which `event` wakes for.
    ///
    /// # Panics
    /// When they cannot be mapped.
    #[must_use]
    pub fn of(client: &Client, sections: &MappedRing, event: usize) -> Self {
        let map = |section, write| {
            let view = client.map_view(section as usize, write);
            assert_eq!(client.close_handle(section as usize), 0);
            view.expect("the right to it")
        };
        let (ring, word) = (map(sections.ring, false), map(sections.consumer, true));
        let at = |view: &View| NonNull::new(view.as_ptr()).expect("views are somewhere");
        // SAFETY: the view is of a page and the ring behind it.
        let records = unsafe { at(&ring).byte_add(DATA_OFFSET) }.cast();
        let records = NonNull::slice_from_raw_parts(records, sections.ring_size as usize / 8);
        // SAFETY: both views are mapped as long as this value lives, and the consumer, which alone
        // is taken, writes to its own page only.
        let side = unsafe { SessionRing::in_place(records, at(&ring).cast(), at(&word).cast(), 0) };
        let side = Box::leak(Box::new(side.expect("a ring of a size that rings have")));
        let consumer = side.consumer().expect("nobody else has it");
        Self {
            consumer,
            ring,
            word,
            event,
        }
    }

    /// What the driver writes.
    #[must_use]
    pub const fn ring(&self) -> &View {
        &self.ring
    }

    /// What the client writes.
    #[must_use]
    pub const fn word(&self) -> &View {
        &self.word
    }

    /// The handle of the event that wakes the client.
    #[must_use]
    pub const fn event(&self) -> usize {
        self.event
    }

    /// Takes what is there now, and says whether anything more may come, and whether something is
    /// missing that is not announced.
    ///
    /// # Panics
    /// When the driver wrote something else than records.
    pub fn take(&mut self) -> Taken {
        let state = self.consumer.state();
        let mut records = Vec::new();
        while let Some(record) = self.consumer.peek().expect("the driver writes records") {
            records.extend_from_slice(record);
            self.consumer.release();
        }
        Taken {
            records,
            ended: state & state::ENDED != 0,
            gap: state & state::GAP != 0,
        }
    }

    /// Goes to sleep, unless there is something to stay awake for.
    pub fn asleep(&mut self, until: Until) -> Option<Asleep<'_, 'static>> {
        self.consumer.sleep(until)
    }

    /// Sleeps until there is something new.
    ///
    /// # Panics
    /// When nobody wakes it.
    pub fn sleep(&mut self, client: &Client) {
        if let Some(_asleep) = self.consumer.sleep(Until::Anything) {
            let woken = client.wait_event(self.event, PATIENCE);
            assert_eq!(woken, Ok(true), "nobody woke the client in {PATIENCE:?}");
        }
    }
}

/// What was in a ring.
#[derive(Debug)]
pub struct Taken {
    /// Whole records.
    pub records: Vec<u8>,
    /// Nothing more will come.
    pub ended: bool,
    /// Something is missing behind the last record.
    pub gap: bool,
}
