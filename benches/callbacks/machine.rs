//! A machine with the shipped driver and so many sessions.

use crate::routines::Routine;
use nthost::Kernel;
use nthost::io::{Client, FileHandle, Service};
use ntwatch_protocol::ioctl::MAX_SESSIONS;
use ntwatch_tests::lab::Lab;
use ntwatch_tests::machine::{
    boot, client, configure_all, end_of, load, settled, stats, submit_read, unload,
};
use std::sync::Arc;
use std::time::Duration;

/// How many sessions there are in turn.
pub(crate) const SESSIONS: [usize; 3] = [0, 1, MAX_SESSIONS];

pub(crate) struct Machine {
    pub(crate) kernel: Arc<Kernel>,
    service: Service,
    clients: Vec<(Client, Arc<FileHandle>)>,
}

impl Machine {
    /// Each session sees everything.
    pub(crate) fn with_sessions(count: usize) -> Self {
        let kernel = boot();
        let service = load(&kernel, &Lab::get());
        let clients: Vec<_> = (0..count).map(|_| client(&kernel)).collect();
        for (_, handle) in &clients {
            configure_all(handle);
        }
        Machine {
            kernel,
            service,
            clients,
        }
    }

    /// How long a burst of calls takes. The events are read off the clock.
    pub(crate) fn round(&self, routine: &Routine) -> Duration {
        let took = (routine.burst)(&self.kernel);
        self.read_all();
        took
    }

    /// Until every session has read all there is.
    pub(crate) fn read_all(&self) {
        for (_, handle) in &self.clients {
            let _ = settled(handle);
            while stats(handle).queued.iter().any(|queued| *queued != 0) {
                let done = end_of(&submit_read(handle));
                assert_eq!(done.status, 0, "READ_EVENTS: {:#x}", done.status);
            }
        }
    }

    /// The handle of the first session.
    pub(crate) fn handle(&self) -> &Arc<FileHandle> {
        &self.clients[0].1
    }

    pub(crate) fn end(self) {
        let mut last = None;
        for (client, handle) in self.clients {
            drop(handle);
            if let Some(earlier) = last.replace(client) {
                Client::die(earlier);
            }
        }
        match last {
            Some(last) => unload(self.service, last),
            None => drop(self.service.stop()),
        }
    }
}
