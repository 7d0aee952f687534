//! The client's way to a driver in the same process: requests without a socket.

use nthost::io::{Client, FileHandle, Ticket};
use nthost::mm::View;
use ntwatch_client::time::Time;
use ntwatch_client::transport::mapping::{Mapping, Unmappable, Views, Wake, Woken};
use ntwatch_client::transport::{Fault, Host, RunningProcess, Transport};
use ntwatch_client::volumes::Volume;
use ntwatch_protocol::ioctl::READ_EVENTS;
use ntwatch_protocol::mapped::{CONSUMER_SIZE, DATA_OFFSET, MapRing, MappedRing};
use ntwatch_tests::lab::PATIENCE;
use ntwatch_tests::mapped::{map_ring, map_ring_input};
use std::fmt;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A process of the modelled kernel with the device open.
pub(crate) struct Direct {
    pub(crate) process: Arc<Client>,
    pub(crate) handle: Arc<FileHandle>,
    reads: Mutex<Reads>,
}

#[derive(Default)]
struct Reads {
    stopped: bool,
    pended: Option<Arc<Ticket>>,
}

impl Direct {
    pub(crate) fn new((process, handle): (Client, Arc<FileHandle>)) -> Self {
        Self {
            process: Arc::new(process),
            handle,
            reads: Mutex::default(),
        }
    }
}

impl Transport for Direct {
    fn control(&self, code: u32, input: &[u8], output: &mut [u8]) -> Result<usize, Fault> {
        let done = self.handle.ioctl(code, input, output.len());
        copied(done.status, &done.output, output)
    }

    fn read_events(&self, output: &mut [u8]) -> Result<usize, Fault> {
        let read = {
            let mut reads = self.reads.lock().unwrap();
            if reads.stopped {
                return Err(Fault::Stopped);
            }
            let read = self.handle.submit(READ_EVENTS, &[], output.len());
            let read = Arc::new(read.map_err(fault)?);
            reads.pended = Some(Arc::clone(&read));
            read
        };
        let done = read.wait();
        self.reads.lock().unwrap().pended = None;
        copied(done.status, &done.output, output)
    }

    fn map_ring(&self, ring_size: u32, wake_bytes: u32) -> Result<Mapping, Unmappable> {
        let event = self.process.create_event();
        let event = event.map_err(|status| Unmappable::NoEvent(fault(status)))?;
        let wanted = MapRing {
            wake_bytes,
            ..map_ring_input(ring_size, event)
        };
        let granted = map_ring(&self.handle, &wanted);
        let granted = granted.map_err(|status| Unmappable::Refused(fault(status)))?;
        let views = self.views(&granted);
        let wake = Event {
            process: Arc::clone(&self.process),
            event,
        };
        Ok(Mapping {
            views: views.map_err(|status| Unmappable::Unusable(fault(status)))?,
            wake: Box::new(wake),
            wake_bytes: wanted.wake_bytes(),
        })
    }

    fn stop_reads(&self) {
        let mut reads = self.reads.lock().unwrap();
        reads.stopped = true;
        if let Some(read) = reads.pended.take() {
            // It ends either way.
            let _ = read.cancel();
        }
    }

    fn processes(&self) -> Result<Vec<RunningProcess>, Fault> {
        Ok(Vec::new())
    }

    fn process(&self, _: u32) -> Result<Option<RunningProcess>, Fault> {
        Ok(None)
    }

    fn enable_privilege(&self, _: &str) -> Result<(), Fault> {
        Ok(())
    }

    fn volumes(&self) -> Result<Vec<Volume>, Fault> {
        Ok(Vec::new())
    }

    fn host(&self) -> Result<Host, Fault> {
        Ok(Host {
            name: String::new(),
            boot_time: None,
            now: Time(0),
        })
    }

    fn account(&self, _: &[u8]) -> Option<String> {
        None
    }
}

impl Direct {
    /// Maps both sections.
    fn views(&self, granted: &MappedRing) -> Result<Views, i32> {
        let map = |handle: u64, writable| -> Result<View, i32> {
            let view = self.process.map_view(handle as usize, writable)?;
            self.process.close_handle(handle as usize);
            Ok(view)
        };
        let (ring, consumer) = (map(granted.ring, false)?, map(granted.consumer, true)?);
        assert!(ring.len() >= DATA_OFFSET + granted.ring_size as usize);
        assert!(consumer.len() >= CONSUMER_SIZE);
        let begin = |view: &View| NonNull::new(view.as_ptr()).expect("it is mapped");
        let (pages, word) = (begin(&ring), begin(&consumer));
        // SAFETY: the views are as long as this, whole pages, and mapped until they are dropped;
        // the driver alone writes the first, and leaves what is not released alone.
        let views = unsafe { Views::new(pages, granted.ring_size, word, (ring, consumer)) };
        Ok(views.expect("a ring of a size that rings have"))
    }
}

/// The event that the driver sets.
struct Event {
    process: Arc<Client>,
    event: usize,
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Event").field(&self.event).finish()
    }
}

impl Wake for Event {
    fn wait(&self, timeout: Option<Duration>) -> Result<Woken, Fault> {
        let woken = self
            .process
            .wait_event(self.event, timeout.unwrap_or(PATIENCE));
        Ok(match woken.map_err(fault)? {
            true => Woken::Signalled,
            false => Woken::TimedOut,
        })
    }

    fn is_stopped(&self) -> bool {
        false
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        self.process.close_handle(self.event);
    }
}

fn copied(status: i32, from: &[u8], to: &mut [u8]) -> Result<usize, Fault> {
    if status != 0 {
        return Err(fault(status));
    }
    to[..from.len()].copy_from_slice(from);
    Ok(from.len())
}

fn fault(status: i32) -> Fault {
    Fault::Status(status as u32)
}
