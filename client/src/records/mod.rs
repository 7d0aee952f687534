//! The records of a session as the driver wrote them, and the two ways that they come by.

mod in_place;
mod read_ahead;
mod source;

pub(crate) use source::Patience;

use crate::delivery::{Delivery, Route};
use crate::driver::Driver;
use crate::error::Error;
use crate::transport::Transport;
use ntwatch_protocol::reader::Record;
use source::Source;
use std::sync::{Arc, Weak};

/// The records of one session, in the driver's order, each lent until the next one is asked for.
/// From a mapped ring they are lent as they lie there, without a copy. Reads are made ahead, up to
/// a few buffers, by a thread of their own.
///
/// ```no_run
/// use ntwatch_client::{Delivery, Driver, Filter};
///
/// # fn main() -> Result<(), ntwatch_client::Error> {
/// let driver = Driver::open(ntwatch_client::DEFAULT_DEVICE)?;
/// let mut records = driver.records(&Filter::new(), Delivery::default())?;
/// while let Some(record) = records.next_record() {
///     println!("{}", record?.header().seq);
/// }
/// # Ok(())
/// # }
/// ```
pub struct Records {
    source: Source,
    route: Route,
    /// Bytes of the record that is lent.
    lent: usize,
    /// Bytes of all that were lent before.
    passed: usize,
    end: Option<End>,
    driver: Driver,
}

/// Why a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// [`Stopper::stop`] was called.
    Stopped,
    /// Somebody told the driver to shut down.
    DriverShutdown,
    /// The stream's last item says why.
    Failed,
}

/// Ends a stream from another thread.
#[derive(Clone)]
pub struct Stopper(Weak<dyn Transport>);

impl Stopper {
    /// Ends the stream. What was read already still comes out of it; what lies in a mapped ring was
    /// not read.
    pub fn stop(&self) {
        if let Some(transport) = self.0.upgrade() {
            transport.stop_reads();
        }
    }
}

/// What there is when a record is asked for.
pub(crate) enum Next<'r> {
    Record(Record<'r>),
    /// None yet, and patience has ended.
    Nothing,
    /// None will come; [`Records::end`] says why.
    Ended,
    /// Nor here, for this reason.
    Failed(Error),
}

impl Records {
    /// Of a session without a ring. One that is to be mapped is asked for now, as it comes before
    /// CONFIGURE; reads are begun behind it, by [`Self::begin`].
    pub(crate) fn choose(
        driver: Driver,
        ring_size: u32,
        delivery: Delivery,
    ) -> Result<Self, Error> {
        let (source, route) = Source::choose(&driver, ring_size, delivery)?;
        Ok(Self {
            source,
            route,
            lent: 0,
            passed: 0,
            end: None,
            driver,
        })
    }

    /// Begins to read, now that the session is configured.
    pub(crate) fn begin(&mut self) {
        self.source.begin(&self.driver);
    }

    /// Waits for the next record and lends it. `None` once there is no other; behind an error there
    /// is none.
    pub fn next_record(&mut self) -> Option<Result<Record<'_>, Error>> {
        match self.next_by(Patience::Endless) {
            Next::Record(record) => Some(Ok(record)),
            Next::Failed(error) => Some(Err(error)),
            Next::Nothing | Next::Ended => None,
        }
    }

    /// The record that was lent is done with, and the driver is to know: its account has all that
    /// were lent as delivered. Without this it learns of many at a time, and at the latest when
    /// there is no other.
    pub fn release(&mut self) {
        self.pass();
        self.source.publish();
    }

    /// The record that was lent is done with.
    pub(crate) fn pass(&mut self) {
        if self.lent != 0 {
            self.source.pass(self.lent);
            self.passed = self.passed.saturating_add(self.lent);
            self.lent = 0;
        }
    }

    /// The way that the records come by.
    #[must_use]
    pub const fn route(&self) -> &Route {
        &self.route
    }

    pub(crate) fn into_route(self) -> Route {
        self.route
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

    /// Why the stream ended, once it has.
    #[must_use]
    pub const fn end(&self) -> Option<End> {
        self.end
    }

    /// As [`Self::next_record`], for those who do not wait for ever.
    pub(crate) fn next_by(&mut self, patience: Patience) -> Next<'_> {
        self.pass();
        if self.end.is_some() {
            return Next::Ended;
        }
        let Self { source, driver, .. } = self;
        let broken = match source.wait(patience) {
            Ok(false) => return Next::Nothing,
            Ok(true) => match source.record() {
                Ok(Some(record)) => {
                    self.lent = record.header().size as usize;
                    return Next::Record(record);
                }
                Ok(None) => return Next::Nothing,
                Err(broken) => broken,
            },
            Err(broken) => broken,
        };
        let (end, error) = broken.end(driver, self.passed);
        self.end = Some(end);
        error.map_or(Next::Ended, Next::Failed)
    }
}
