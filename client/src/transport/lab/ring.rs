//! The mapped ring in the lab: memory files and an `eventfd` that nthost really shares.

use super::{Lab, status, wrong_answer};
use crate::transport::Fault;
use crate::transport::mapping::{self, Mapping, Unmappable, Views, Wake, Woken};
use memmap2::{MmapOptions, MmapRaw};
use ntwatch_lab_link::{Answer, Query};
use ntwatch_protocol::mapped::{CONSUMER_SIZE, DATA_OFFSET, MappedRing};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Maps the session's ring.
pub(super) fn map(lab: &Lab, ring_size: u32, wake_bytes: u32) -> Result<Mapping, Unmappable> {
    let (event, signal) = create_event(lab).map_err(Unmappable::NoEvent)?;
    let stream = lab.stream.try_clone();
    let wake = SharedEvent {
        signal,
        stop: Arc::clone(&lab.stop),
        stream: stream.map_err(|error| Unmappable::NoEvent(error.into()))?,
    };
    let (granted, wake_bytes) = mapping::request(lab, ring_size, wake_bytes, event)?;
    let views = views(lab, &granted).map_err(Unmappable::Unusable)?;
    Ok(Mapping {
        views,
        wake: Box::new(wake),
        wake_bytes,
    })
}

fn create_event(lab: &Lab) -> Result<(u64, OwnedFd), Fault> {
    match lab.query_for_file(Query::CreateEvent)? {
        (Answer::Handle(handle), Some(file)) => Ok((handle, file)),
        (answer, _) => Err(refused(&answer)),
    }
}

/// Maps both sections, and closes their handles, which views do without.
fn views(lab: &Lab, granted: &MappedRing) -> Result<Views, Fault> {
    let ring_len = DATA_OFFSET + granted.ring_size as usize;
    let ring = view(lab, granted.ring, false, ring_len);
    let consumer = view(lab, granted.consumer, true, CONSUMER_SIZE);
    for handle in [granted.ring, granted.consumer] {
        match lab.query(Query::CloseHandle(handle))? {
            Answer::Status(0) => {}
            answer => return Err(refused(&answer)),
        }
    }
    let (ring, consumer) = (ring?, consumer?);
    let start = |view: &MmapRaw| NonNull::new(view.as_mut_ptr()).ok_or_else(unusable);
    let (ring_start, consumer_start) = (start(&ring)?, start(&consumer)?);
    // SAFETY: whole views of the lengths that `view` has checked, page-aligned, which are unmapped
    // when they are dropped, and nobody else in this process has; nthost gave the file of the
    // first to be read alone, and its driver leaves records alone that are not released.
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

/// Maps a whole section, of `len` bytes at least.
fn view(lab: &Lab, handle: u64, write: bool, len: usize) -> Result<MmapRaw, Fault> {
    let file = match lab.query_for_file(Query::MapView { handle, write })? {
        (Answer::View { .. }, Some(file)) => File::from(file),
        (answer, _) => return Err(refused(&answer)),
    };
    let map = MmapOptions::new();
    let view = if write {
        map.map_raw(&file)?
    } else {
        map.map_raw_read_only(&file)?
    };
    if view.len() < len {
        return Err(unusable());
    }
    Ok(view)
}

fn unusable() -> Fault {
    Fault::Io(io::Error::other("a section is not what the driver said"))
}

/// What an answer means that is not the one hoped for.
fn refused(answer: &Answer) -> Fault {
    match answer {
        Answer::Status(code) => status::fault(*code),
        other => wrong_answer(other),
    }
}

/// Says that no more reads are wanted, to those who sleep, too.
#[derive(Debug)]
pub(super) struct Stop {
    is_set: AtomicBool,
    /// Readable once it is set.
    signal: OwnedFd,
}

impl Stop {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            is_set: AtomicBool::new(false),
            signal: eventfd(0, EventfdFlags::CLOEXEC)?,
        })
    }

    pub(super) fn set(&self) {
        self.is_set.store(true, Ordering::Release);
        // Fails only when it was set times without number.
        let _ = rustix::io::write(&self.signal, &1_u64.to_ne_bytes());
    }

    pub(super) fn is_set(&self) -> bool {
        self.is_set.load(Ordering::Acquire)
    }
}

/// The event that the driver sets, as nthost shows it.
#[derive(Debug)]
struct SharedEvent {
    signal: OwnedFd,
    stop: Arc<Stop>,
    /// Hangs up when nobody can set the event any more.
    stream: UnixStream,
}

impl Wake for SharedEvent {
    fn wait(&self, timeout: Option<Duration>) -> Result<Woken, Fault> {
        let timeout = timeout.map(|time| Timespec {
            tv_sec: time.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: time.subsec_nanos().into(),
        });
        let mut sources = [
            PollFd::new(&self.stop.signal, PollFlags::IN),
            PollFd::new(&self.signal, PollFlags::IN),
            PollFd::new(&self.stream, PollFlags::RDHUP),
        ];
        match poll(&mut sources, timeout.as_ref()) {
            Ok(0) => return Ok(Woken::TimedOut),
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(Woken::Signalled),
            Err(error) => return Err(Fault::Io(error.into())),
        }
        let [stopped, signalled, closed] = sources.map(|source| !source.revents().is_empty());
        if stopped {
            return Err(Fault::Stopped);
        }
        if signalled {
            // Resets it. That it was not set any more is as good.
            match rustix::io::read(&self.signal, &mut [0; 8]) {
                Ok(_) | Err(Errno::AGAIN | Errno::INTR) => {}
                Err(error) => return Err(Fault::Io(error.into())),
            }
        } else if closed {
            return Err(Fault::Closed);
        }
        Ok(Woken::Signalled)
    }

    fn is_stopped(&self) -> bool {
        self.stop.is_set()
    }
}
