//! A process that watches inside the test's own, by either transport.

use crate::machine::{client, end_of, stats, submit_read, try_read};
use crate::mapped::Mapped;
use nthost::Kernel;
use nthost::io::{Client, FileHandle};
use ntwatch_protocol::ioctl::{CONFIGURE, STATUS_SHUTDOWN};
use std::sync::Arc;

/// How records come to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// By READ_EVENTS.
    Read,
    /// In its session's ring.
    Mapped,
}

impl Transport {
    /// Whatever passes by one passes by the other.
    pub const ALL: [Self; 2] = [Self::Read, Self::Mapped];

    /// As the command line has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Mapped => "mapped",
        }
    }
}

/// A process with one session.
pub struct Watcher {
    /// Unless it reads.
    pub mapped: Option<Mapped>,
    /// The device.
    pub handle: Arc<FileHandle>,
    /// The process.
    pub process: Client,
}

impl Watcher {
    /// Begins to see what `configure`, the input of CONFIGURE, says, in a ring of `ring_size`
    /// bytes, which `configure` says too.
    ///
    /// # Panics
    /// When the driver refuses.
    #[must_use]
    pub fn begin(
        kernel: &Arc<Kernel>,
        transport: Transport,
        ring_size: u32,
        configure: &[u8],
    ) -> Self {
        let (process, handle) = client(kernel);
        let mapped =
            (transport == Transport::Mapped).then(|| Mapped::new(&process, &handle, ring_size));
        let done = handle.ioctl(CONFIGURE, configure, 0);
        assert_eq!(done.status, 0, "CONFIGURE: {:#x}", done.status);
        Self {
            mapped,
            handle,
            process,
        }
    }

    /// The next records, waited for; `None` once the driver has ended the session.
    ///
    /// # Panics
    /// When the driver refuses.
    pub fn wait(&mut self) -> Option<Vec<u8>> {
        let Some(mapped) = &mut self.mapped else {
            let done = end_of(&submit_read(&self.handle));
            if done.status == STATUS_SHUTDOWN as i32 {
                return None;
            }
            assert_eq!(done.status, 0, "READ_EVENTS: {:#x}", done.status);
            return Some(done.output);
        };
        loop {
            let taken = mapped.take();
            if !taken.records.is_empty() {
                return Some(taken.records);
            }
            if taken.ended {
                return None;
            }
            if taken.gap {
                // Has it announced.
                let _ = stats(&self.handle);
            }
            mapped.sleep(&self.process);
        }
    }

    /// The records that are there now, announcements of what is missing among them.
    ///
    /// # Panics
    /// When the driver refuses.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        loop {
            let more = match &mut self.mapped {
                Some(mapped) => mapped.take().records,
                None => try_read(&self.handle).unwrap_or_default(),
            };
            if more.is_empty() {
                return rest;
            }
            rest.extend(more);
            // Has what is missing announced, now that there is room.
            let _ = stats(&self.handle);
        }
    }

    /// Closes the device and gives the process, which has nothing else.
    #[must_use]
    pub fn leave(self) -> Client {
        self.process
    }

    /// The process ends.
    pub fn die(self) {
        self.leave().die();
    }
}
