//! The stream of events.

use crate::delivery::{Delivery, Route};
use crate::driver::Driver;
use crate::error::Error;
use crate::event::{Counts, Event, Hex, SCHEMA, SessionInfo};
use crate::filter::Filter;
use crate::hash::{HashCounts, Hashing};
use crate::join::Joiner;
use crate::records::{End, Next, Patience, Records, Stopper};
use crate::session::Session;
use crate::stats::Account;
use ntwatch_protocol::ioctl::Stats;
use ntwatch_protocol::reader::Record;
use ntwatch_protocol::record::Kind;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// When nothing came for so long, the start of a process that runs already will not come.
const SILENCE: Duration = Duration::from_millis(100);

/// How often a reader that waits for records looks whether a hash has come meanwhile.
const LOOK: Duration = Duration::from_millis(5);

/// The events of one session, in the driver's order: an iterator that waits for the next one.
/// It begins with [`crate::event::Body::Session`] and what runs already. An error is its last item,
/// behind every event that came before it.
///
/// It sits on [`Records`]: what comes by reads is read ahead by a thread, so that joining and
/// reading overlap, and what comes by the mapped ring is joined from where it lies.
pub struct Watch {
    joiner: Joiner,
    /// What events pass behind the joiner, if they are to have hashes.
    hashing: Option<Hashing>,
    /// The kinds that come out, a mask of [`Kind::bit`].
    shown: u32,
    /// The kinds that the driver was asked for.
    asked_for: u32,
    /// The driver's counters when the session began.
    at_start: Stats,
    tally: Tally,
    /// What the stream failed with, until it is told behind the last event.
    failure: Option<Error>,
    records: Records,
}

/// The records that were joined.
#[derive(Default)]
struct Tally {
    received: Counts,
    announced: Counts,
}

impl Tally {
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

impl Watch {
    pub(crate) fn begin(
        driver: Driver,
        filter: &Filter,
        delivery: Delivery,
    ) -> Result<Self, Error> {
        let Session {
            records,
            names,
            host,
            before,
            after,
            resolved,
            at_start,
        } = Session::begin(driver, filter, delivery)?;
        let shown = filter.shown();
        let mut joiner = Joiner::new(names, shown, host.now);
        let version = records.driver().version();
        let [major, minor, patch, build] = version.driver_version;
        joiner.session(SessionInfo {
            driver_load_id: Hex(version.driver_load_id),
            boot_time: host.boot_time,
            host: host.name,
            schema: SCHEMA,
            driver_version: format!("{major}.{minor}.{patch}.{build}"),
            client_version: env!("CARGO_PKG_VERSION").into(),
        });
        // Who does not want starts does not want to know what started earlier.
        let wanted = shown & Kind::ProcessStart.bit() != 0;
        joiner.snapshots(&before, &after, |process| {
            wanted && resolved.passes(process)
        });
        Ok(Self {
            joiner,
            hashing: None,
            shown,
            asked_for: resolved.mask(),
            at_start,
            tally: Tally::default(),
            failure: None,
            records,
        })
    }

    /// Has events tell the SHA-256 of the files that they name: [`crate::event::Process::sha256`]
    /// and [`crate::event::Image::sha256`]. They come as late as that takes, see [`crate::hash`].
    #[must_use]
    pub fn with_hashes(mut self) -> Self {
        let transport = Arc::downgrade(self.driver().transport());
        self.hashing = Some(Hashing::new(transport));
        self
    }

    /// What became of the hashes, if events are to have them.
    #[must_use]
    pub fn hashes(&self) -> Option<&HashCounts> {
        self.hashing.as_ref().map(Hashing::counts)
    }

    /// The events as a stream for async programs, read by a thread of its own.
    #[cfg(feature = "stream")]
    #[must_use]
    pub fn into_stream(self) -> crate::stream::EventStream {
        crate::stream::EventStream::of(self)
    }

    /// The handle that the session belongs to.
    #[must_use]
    pub const fn driver(&self) -> &Driver {
        self.records.driver()
    }

    /// The way that the records come by.
    #[must_use]
    pub const fn route(&self) -> &Route {
        self.records.route()
    }

    /// A handle that ends this stream.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.records.stopper()
    }

    /// The driver's events that came so far, taken out of the iterator or not. Process starts and
    /// exits are among them even if they do not come out.
    #[must_use]
    pub const fn received(&self) -> &Counts {
        &self.tally.received
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
        counted.max(self.tally.announced.total())
    }

    /// Why the stream ended, once it has.
    #[must_use]
    pub const fn end(&self) -> Option<End> {
        self.records.end()
    }

    /// Would [`Iterator::next`] have to wait? A good moment to flush.
    #[must_use]
    pub fn is_caught_up(&mut self) -> bool {
        while !self.has_event() && self.end().is_none() {
            if !self.join_next(Patience::None) {
                return true;
            }
        }
        false
    }

    /// Are the processes told of that ran when the stream began? The start of one that began
    /// meanwhile may be on its way; that it is not is known once nothing came for a moment.
    #[must_use]
    pub fn knows_who_runs(&self) -> bool {
        !self.joiner.has_newcomers()
    }

    /// Waits until there is an event or the stream ends, so long at most, and a tenth of a second at
    /// least. `false` if neither came to pass: time to look after something else.
    #[must_use]
    pub fn wait(&mut self, time: Duration) -> bool {
        let (began, time) = (Instant::now(), time.max(SILENCE));
        while !self.has_event() && self.end().is_none() {
            let left = time.saturating_sub(began.elapsed());
            if left.is_zero() {
                return false;
            }
            self.join_within(Some(left));
        }
        true
    }

    /// Joins the next record, if it comes in time. `None` is as long as it takes.
    fn join_within(&mut self, time: Option<Duration>) {
        if self.unhashed().is_some() {
            // Those that waited are read meanwhile: files are no reason to let the ring fill.
            self.join_next(Patience::Time(LOOK));
        } else if self.joiner.has_newcomers() {
            if !self.join_next(Patience::Time(SILENCE)) {
                self.joiner.caught_up();
            }
        } else {
            self.join_next(time.map_or(Patience::Endless, Patience::Time));
        }
    }

    /// The hashes, if an event waits for one.
    fn unhashed(&self) -> Option<&Hashing> {
        self.hashing.as_ref().filter(|hashing| hashing.is_waiting())
    }

    /// Is there an event to be taken?
    fn has_event(&mut self) -> bool {
        let Some(hashing) = &mut self.hashing else {
            return !self.joiner.is_empty();
        };
        while let Some(event) = self.joiner.next() {
            hashing.put(event);
        }
        hashing.is_ready()
    }

    fn take_event(&mut self) -> Option<Event> {
        match &mut self.hashing {
            Some(hashing) => hashing.next(),
            None => self.joiner.next(),
        }
    }

    /// Joins the next record, or learns that there is none to come. `false` when patience ended
    /// before.
    fn join_next(&mut self, patience: Patience) -> bool {
        match self.records.next_by(patience) {
            Next::Record(record) => {
                self.joiner.record(&record);
                self.tally.count(&record);
                // Nothing of it is needed any more.
                self.records.pass();
                return true;
            }
            Next::Nothing => return false,
            Next::Ended => {}
            Next::Failed(error) => self.failure = Some(error),
        }
        // Those that are still unannounced did run when the stream began.
        self.joiner.caught_up();
        true
    }
}

impl Iterator for Watch {
    type Item = Result<Event, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.has_event() {
                return self.take_event().map(Ok);
            }
            if self.end().is_some() {
                let Some(hashing) = self.unhashed() else {
                    return self.failure.take().map(Err);
                };
                hashing.wait();
                continue;
            }
            self.join_within(None);
        }
    }
}
