//! The stream of events.

use crate::driver::Driver;
use crate::error::Error;
use crate::event::{Counts, Event, Hex, SCHEMA, SessionInfo};
use crate::filter::{Filter, Resolved};
use crate::join::Joiner;
use crate::names::Names;
use crate::snapshot::Snapshot;
use crate::stats::Account;
use crate::transport::{Fault, Transport};
use ntwatch_protocol::ioctl::{self, Stats};
use ntwatch_protocol::reader::{Record, Records};
use ntwatch_protocol::record::{Kind, MAX_RECORD_SIZE};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

/// Bytes of a read's buffer: room for some hundreds of usual records.
const READ_SIZE: usize = 2 * MAX_RECORD_SIZE;
/// Buffers in turn: one is read into while another is joined and the third waits.
const BUFFERS: usize = 3;
/// When nothing came for so long, the start of a process that runs already will not come.
const SILENCE: Duration = Duration::from_millis(100);

/// The events of one session, in the driver's order: an iterator that waits for the next one.
/// It begins with [`crate::event::Body::Session`] and what runs already. An error is its last item,
/// behind every event that came before it.
///
/// A thread of its own reads ahead, up to a few buffers, so that joining and reading overlap.
pub struct Watch {
    joiner: Joiner,
    /// The kinds that come out, a mask of [`Kind::bit`].
    shown: u32,
    /// The kinds that the driver was asked for.
    asked_for: u32,
    /// The driver's counters when the session began.
    at_start: Stats,
    received: Counts,
    announced: Counts,
    end: Option<End>,
    /// What the stream failed with, until it is told behind the last event.
    failure: Option<Error>,
    reader: Reader,
    driver: Driver,
}

/// Why a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// [`Stopper::stop`] was called.
    Stopped,
    /// Somebody told the driver to shut down.
    DriverShutdown,
    /// The iterator's last item says why.
    Failed,
}

/// Ends a [`Watch`] from another thread.
#[derive(Clone)]
pub struct Stopper(Weak<dyn Transport>);

impl Stopper {
    /// Ends the stream. What was read already still comes out of it.
    pub fn stop(&self) {
        if let Some(transport) = self.0.upgrade() {
            transport.stop_reads();
        }
    }
}

impl Watch {
    pub(crate) fn begin(driver: Driver, filter: &Filter) -> Result<Self, Error> {
        let transport = driver.transport();
        let names = Names::new(Arc::clone(transport)).map_err(driver.cannot("ask for volumes"))?;
        let snapshot = || {
            let processes = transport.processes().map(Snapshot::new);
            processes.map_err(driver.cannot("ask which processes run"))
        };
        let configure = |resolved: &Resolved| {
            let configured = transport.control(ioctl::CONFIGURE, &resolved.to_bytes()?, &mut []);
            configured.map_err(driver.cannot("begin a session"))
        };
        let host = driver.host()?;
        let before = snapshot()?;
        let mut resolved = filter.resolve(names.volumes(), &before)?;

        let shown = filter.shown();
        let mut joiner = Joiner::new(names, shown, host.now);
        let [major, minor, patch, build] = driver.version().driver_version;
        joiner.session(SessionInfo {
            driver_load_id: Hex(driver.version().driver_load_id),
            boot_time: host.boot_time,
            host: host.name,
            schema: SCHEMA,
            driver_version: format!("{major}.{minor}.{patch}.{build}"),
            client_version: env!("CARGO_PKG_VERSION"),
        });
        configure(&resolved)?;
        let at_start = driver.stats()?;
        // From here on the driver's ring fills; the snapshot may take its time.
        let reader = Reader::start(Arc::clone(transport));
        let after = loop {
            // Of whoever begins later, the driver sees the start.
            let told_at = driver.host()?.now;
            let running = snapshot()?;
            if !resolved.follow(&running, Some(told_at)) {
                break running;
            }
            // Events up to here are as the filter before said. Each round is about the offspring
            // of those found in the one before, so there are few.
            configure(&resolved)?;
        };
        // Who does not want starts does not want to know what started earlier.
        let wanted = shown & Kind::ProcessStart.bit() != 0;
        joiner.snapshots(&before, &after, |process| {
            wanted && resolved.passes(process)
        });

        Ok(Self {
            joiner,
            shown,
            asked_for: resolved.mask(),
            at_start,
            received: Counts::default(),
            announced: Counts::default(),
            end: None,
            failure: None,
            reader,
            driver,
        })
    }

    /// The handle that the session belongs to.
    #[must_use]
    pub const fn driver(&self) -> &Driver {
        &self.driver
    }

    /// A handle that ends this stream.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        Stopper(Arc::downgrade(self.driver.transport()))
    }

    /// The driver's events that came so far, taken out of the iterator or not. Process starts and
    /// exits are among them even if they do not come out.
    #[must_use]
    pub const fn received(&self) -> &Counts {
        &self.received
    }

    /// Do events of this kind come out of the iterator?
    #[must_use]
    pub const fn shows(&self, kind: Kind) -> bool {
        self.shown & kind.bit() != 0
    }

    /// How many events this session should have had and has not, process starts and exits always
    /// among them: those that the stream has told of and, by the driver's counters `now`, those
    /// that it has not told of yet.
    #[must_use]
    pub fn lost(&self, now: Option<&Stats>) -> u64 {
        let counted = now.map_or(0, |now| {
            let lost = |stats, kind| Account::of(stats, kind).lost();
            Kind::EVENTS
                .into_iter()
                .filter(|kind| self.asked_for & kind.bit() != 0)
                .map(|kind| lost(now, kind).saturating_sub(lost(&self.at_start, kind)))
                .sum()
        });
        // What the driver tells of and what it counts are the same losses.
        counted.max(self.announced.total())
    }

    /// Why the stream ended, once it has.
    #[must_use]
    pub const fn end(&self) -> Option<End> {
        self.end
    }

    /// Would [`Iterator::next`] have to wait? A good moment to flush.
    #[must_use]
    pub fn is_caught_up(&mut self) -> bool {
        while self.joiner.is_empty() && self.end.is_none() {
            match self.reader.full.try_recv() {
                Ok(read) => self.take(read),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return true,
            }
        }
        false
    }

    /// Joins what a read brought.
    fn take(&mut self, read: Read) {
        match read {
            Read::Records(buffer, len) => {
                self.join(buffer.get(..len).unwrap_or(&buffer));
                self.reader.give_back(buffer);
            }
            Read::Failed(fault) => {
                // Those that are still unannounced did run when the stream began.
                self.joiner.caught_up();
                match fault {
                    Fault::ShuttingDown => self.end = Some(End::DriverShutdown),
                    Fault::Stopped => self.end = Some(End::Stopped),
                    fault => self.fail(self.driver.cannot("read events")(fault)),
                }
            }
        }
    }

    /// Joins records, up to the first that is none.
    fn join(&mut self, records: &[u8]) {
        for record in Records::new(records) {
            match record {
                Ok(record) => {
                    self.joiner.record(&record);
                    self.count(&record);
                }
                Err(error) => {
                    self.joiner.caught_up();
                    let device = self.driver.device().into();
                    return self.fail(Error::Record { device, error });
                }
            }
        }
    }

    /// Ends the stream, once the events that were joined have been taken.
    fn fail(&mut self, error: Error) {
        self.end = Some(End::Failed);
        self.failure = Some(error);
    }
    fn count(&mut self, record: &Record<'_>) {
        if let Record::Lost(lost) = record {
            for (sum, count) in self.announced.0.iter_mut().zip(lost.counts) {
                *sum = sum.saturating_add(count);
            }
        } else if let Some(count) = self.received.0.get_mut(usize::from(record.header().kind)) {
            *count += 1;
        }
    }
}

impl Iterator for Watch {
    type Item = Result<Event, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(event) = self.joiner.next() {
                return Some(Ok(event));
            }
            if self.end.is_some() {
                return self.failure.take().map(Err);
            }
            let read = if self.joiner.has_newcomers() {
                match self.reader.full.recv_timeout(SILENCE) {
                    Err(RecvTimeoutError::Timeout) => {
                        self.joiner.caught_up();
                        continue;
                    }
                    read => read.ok(),
                }
            } else {
                self.reader.full.recv().ok()
            };
            self.take(read.unwrap_or(Read::Failed(Fault::Stopped)));
        }
    }
}

/// What a read came back with.
enum Read {
    /// A buffer, and how much of it is records.
    Records(Box<[u8]>, usize),
    /// There will be no other.
    Failed(Fault),
}

/// The thread that reads, and the buffers between it and the joiner.
struct Reader {
    full: Receiver<Read>,
    /// `None` only while dropped.
    empty: Option<Sender<Box<[u8]>>>,
    transport: Arc<dyn Transport>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    fn start(transport: Arc<dyn Transport>) -> Self {
        let (to_joiner, full) = channel();
        let (empty, from_joiner) = channel();
        for _ in 0..BUFFERS {
            let _ = empty.send(vec![0; READ_SIZE].into_boxed_slice());
        }
        let reading = Arc::clone(&transport);
        let thread = std::thread::spawn(move || {
            for mut buffer in from_joiner {
                let read = match reading.read_events(&mut buffer) {
                    Ok(len) => Read::Records(buffer, len),
                    Err(fault) => Read::Failed(fault),
                };
                let last = matches!(read, Read::Failed(_));
                if to_joiner.send(read).is_err() || last {
                    break;
                }
            }
        });
        Self {
            full,
            empty: Some(empty),
            transport,
            thread: Some(thread),
        }
    }

    fn give_back(&self, buffer: Box<[u8]>) {
        if let Some(empty) = &self.empty {
            // The thread is gone once it has failed; nobody needs the buffer then.
            let _ = empty.send(buffer);
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.transport.stop_reads();
        self.empty = None;
        if let Some(thread) = self.thread.take() {
            // It cannot have panicked for a reason of ours, and there is nothing to undo.
            let _ = thread.join();
        }
    }
}
