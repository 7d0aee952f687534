//! The mapped ring: two views and an event.

use super::device::{Device, last_fault};
use super::event::{Reset, Stop, create, wait_for_any};
use super::wine::is_wine;
use crate::transport::Fault;
use crate::transport::mapping::{self, Mapping, Unmappable, Views, Wake, Woken};
use ntwatch_protocol::mapped::{CONSUMER_SIZE, DATA_OFFSET, MappedRing};
use std::ffi::c_void;
use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;
use windows_sys::Win32::System::Memory::{
    FILE_MAP, FILE_MAP_READ, FILE_MAP_WRITE, MEMORY_MAPPED_VIEW_ADDRESS, MapViewOfFile,
    UnmapViewOfFile,
};

/// Maps the session's ring.
pub(super) fn map(
    device: &Device,
    stop: &Arc<Stop>,
    ring_size: u32,
    wake_bytes: u32,
) -> Result<Mapping, Unmappable> {
    if cfg!(target_pointer_width = "32") {
        return Err(Unmappable::ThirtyTwoBit);
    }
    if is_wine() {
        return Err(Unmappable::Wine);
    }
    let wake = Event {
        signal: create(Reset::ByWait).map_err(Unmappable::NoEvent)?,
        stop: Arc::clone(stop),
    };
    let event = wake.signal.as_raw_handle() as u64;
    let (granted, wake_bytes) = mapping::request(device, ring_size, wake_bytes, event)?;
    let views = views(&granted).map_err(Unmappable::Unusable)?;
    Ok(Mapping {
        views,
        wake: Box::new(wake),
        wake_bytes,
    })
}

/// Maps both sections. Their handles are closed then, which views do without.
fn views(granted: &MappedRing) -> Result<Views, Fault> {
    let [ring, consumer] = [granted.ring, granted.consumer].map(|handle| {
        // SAFETY: handles that the driver has just opened for this process, which nobody else
        // here knows.
        unsafe { OwnedHandle::from_raw_handle(handle as usize as *mut c_void) }
    });
    let ring = View::map(
        &ring,
        FILE_MAP_READ,
        DATA_OFFSET + granted.ring_size as usize,
    )?;
    let consumer = View::map(&consumer, FILE_MAP_READ | FILE_MAP_WRITE, CONSUMER_SIZE)?;
    let (ring_start, consumer_start) = (ring.0, consumer.0);
    // SAFETY: views of these lengths, page-aligned, which are unmapped when they are dropped, and
    // which nobody else in this process has; the first is mapped to be read alone, and the driver
    // leaves records alone that are not released.
    let views = unsafe {
        Views::new(
            ring_start,
            granted.ring_size,
            consumer_start,
            (ring, consumer),
        )
    };
    views.map_err(|error| Fault::Io(io::Error::other(error)))
}

/// A view of a section. Dropping it unmaps it.
struct View(NonNull<u8>);

// SAFETY: an address, which is unmapped once, in whatever thread.
unsafe impl Send for View {}

impl View {
    /// Maps the first `len` bytes. Fails if the section is shorter.
    fn map(section: &OwnedHandle, access: FILE_MAP, len: usize) -> Result<Self, Fault> {
        // SAFETY: a handle that is open as long as it is borrowed; the system chooses the place.
        let view = unsafe { MapViewOfFile(section.as_raw_handle(), access, 0, 0, len) };
        NonNull::new(view.Value.cast())
            .map(Self)
            .ok_or_else(last_fault)
    }
}

impl Drop for View {
    fn drop(&mut self) {
        let view = MEMORY_MAPPED_VIEW_ADDRESS {
            Value: self.0.as_ptr().cast(),
        };
        // SAFETY: mapped by `map`, and who reads there keeps this.
        unsafe { UnmapViewOfFile(view) };
    }
}

/// The event that the driver sets.
#[derive(Debug)]
struct Event {
    signal: OwnedHandle,
    stop: Arc<Stop>,
}

impl Wake for Event {
    fn wait(&self, timeout: Option<Duration>) -> Result<Woken, Fault> {
        let events = [self.stop.event.as_handle(), self.signal.as_handle()];
        match wait_for_any(events, timeout)? {
            Some(0) => Err(Fault::Stopped),
            Some(_) => Ok(Woken::Signalled),
            None => Ok(Woken::TimedOut),
        }
    }

    fn is_stopped(&self) -> bool {
        self.stop.is_set()
    }
}
