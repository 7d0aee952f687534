//! A session's ring that its client reads in place.
//!
//! Ring and pages lie in two sections. The client gets a handle to each and maps them; what becomes
//! of its views and handles is its own affair and its process' rundown's. The driver has views of
//! its own in system space, which it touches at PASSIVE_LEVEL alone, in the worker and in requests.
//!
//! Of what the client can write the driver reads one word, and goes by it only as far as it can be
//! true ([`ntwatch_ring::session`]). What a view of the client's shows is never read back.

use crate::nt::event::Event;
use crate::nt::pool::InPool;
use crate::nt::section::{Access, Section, SystemView};
use crate::session_memory::SessionMemory;
use core::ptr::NonNull;
use ntwatch_engine::session::{Queue, reserve};
use ntwatch_protocol::mapped::{CONSUMER_SIZE, DATA_OFFSET, MapRing, MappedRing};
use ntwatch_ring::SessionRing;
use ntwatch_ring::session::{ConsumerPage, ProducerPage};
use wdk_sys::{NTSTATUS, STATUS_INVALID_DEVICE_STATE};

/// The driver's side of it. Dropped in this order: the ring lies in the views. All functions:
/// IRQL = PASSIVE_LEVEL.
pub(crate) struct Mapped {
    /// The worker's end, until the first CONFIGURE.
    queue: Option<Queue<'static>>,
    memory: InPool<SessionMemory>,
    #[expect(dead_code, reason = "held for its drop")]
    views: Views,
    wake_event: Event,
    /// Bytes at which a client is woken that waits for many.
    wake_bytes: u64,
}

struct Views {
    /// [`DATA_OFFSET`] and the records.
    ring: SystemView,
    /// [`CONSUMER_SIZE`].
    consumer: SystemView,
}

impl Mapped {
    /// Makes what `wanted`, which is valid, asks for, or nothing. In a thread of the process that
    /// asks: the event's handle is one of its, and it gets the handles of the answer.
    pub(crate) fn new(wanted: &MapRing) -> Result<(Self, MappedRing), NTSTATUS> {
        let size = wanted.ring_size() as usize;
        let wake_event = Event::of_user_handle(wanted.wake_event)?;
        let ring_section = Section::create(DATA_OFFSET + size)?;
        let consumer_section = Section::create(CONSUMER_SIZE)?;
        let views = Views {
            ring: ring_section.map_in_system_space()?,
            consumer: consumer_section.map_in_system_space()?,
        };
        let memory = SessionMemory::beside(size, || views.ring(size))?;
        // SAFETY: `Mapped` drops its queue before the memory, and `Session::close` closes the feed,
        // which has it from the first CONFIGURE on, before both.
        let queue = unsafe { memory.get() }.queue();
        let queue = queue.ok_or(STATUS_INVALID_DEVICE_STATE)?;
        let ring_handle = ring_section.open_for_caller(Access::Read)?;
        let consumer_handle = consumer_section.open_for_caller(Access::ReadWrite)?;
        let answer = MappedRing {
            size: size_of::<MappedRing>() as u32,
            ring_size: wanted.ring_size(),
            ring: ring_handle.give(),
            consumer: consumer_handle.give(),
        };
        let mapped = Self {
            queue: Some(queue),
            memory,
            views,
            wake_event,
            wake_bytes: wanted.wake_bytes().into(),
        };
        Ok((mapped, answer))
    }

    /// The worker's end, for the first who asks.
    pub(crate) const fn take_queue(&mut self) -> Option<Queue<'static>> {
        self.queue.take()
    }

    pub(crate) fn ring_size(&self) -> usize {
        // SAFETY: used here alone.
        unsafe { self.memory.get() }.ring.capacity()
    }

    /// Says to the client that nothing will come for it, if the worker has not got its end.
    pub(crate) fn end(&mut self) {
        if let Some(queue) = &mut self.queue {
            queue.end();
        }
    }

    pub(crate) const fn wake_bytes(&self) -> u64 {
        self.wake_bytes
    }

    /// Wakes the client.
    pub(crate) fn wake(&self) {
        self.wake_event.set();
    }
}

impl Views {
    /// The ring of `size` bytes in them.
    fn ring(&self, size: usize) -> Option<SessionRing<'static>> {
        let start = self.ring.base();
        // SAFETY: the section has so many bytes, and `size` more.
        let records = unsafe { start.byte_add(DATA_OFFSET) }.cast();
        let records = NonNull::slice_from_raw_parts(records, size / 8);
        let producer = start.cast::<ProducerPage>();
        let consumer = self.consumer.base().cast::<ConsumerPage>();
        // SAFETY: `Mapped` drops the ring before the views, which are mapped for reading and
        // writing and begin on pages. Nobody takes the consumer's part here. Of the section with
        // the records clients have read-only handles, which nobody can widen. N.B. Should one
        // write to it all the same, only clients would see it: the producer reads nothing there.
        unsafe { SessionRing::in_place(records, producer, consumer, reserve(size)) }.ok()
    }
}
