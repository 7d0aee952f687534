//! The records of a session as the driver wrote them, and the two ways that they come by.

mod in_place;
mod read_ahead;

use crate::delivery::{Delivery, Route, Way};
use crate::driver::Driver;
use crate::error::Error;
use crate::transport::mapping::{Mapping, Unmappable};
use crate::transport::{Fault, Transport};
use in_place::InPlace;
use ntwatch_protocol::reader::{self, ReadError, Record};
use ntwatch_ring::session::Damaged;
use read_ahead::ReadAhead;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

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

/// How long to wait for a record.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Patience {
    None,
    Time(Duration),
    Endless,
}

impl Patience {
    /// When it ends, if it has begun now and lasts for a time.
    fn deadline(self) -> Option<Instant> {
        match self {
            Self::Time(time) => Instant::now().checked_add(time),
            Self::None | Self::Endless => None,
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
        let (source, route) = match map(&driver, ring_size, delivery.way)? {
            Ok(mapping) => {
                let transport = Arc::clone(driver.transport());
                let ring = InPlace::new(mapping, delivery.linger, transport);
                (Source::Mapped(ring), Route::Mapped)
            }
            Err(why) => (Source::Unread, Route::Read(why)),
        };
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
        if let Source::Unread = self.source {
            self.source = Source::Read(ReadAhead::begin(Arc::clone(self.driver.transport())));
        }
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

    /// The record that was lent is done with. The next one's being asked for says so, too.
    pub fn release(&mut self) {
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
        self.release();
        if self.end.is_some() {
            return Next::Ended;
        }
        let Self { source, driver, .. } = self;
        let broken = match source.wait(patience) {
            Ok(false) => return Next::Nothing,
            Ok(true) => match source
                .bytes()
                .map(|bytes| reader::Records::new(bytes).next())
            {
                Ok(Some(Ok(record))) => {
                    self.lent = record.header().size as usize;
                    return Next::Record(record);
                }
                Ok(Some(Err(error))) => Broken::Record(behind(self.passed, error)),
                Ok(None) => return Next::Nothing,
                Err(damaged) => Broken::Ring(damaged),
            },
            Err(broken) => broken,
        };
        let device = || driver.device().into();
        let (end, next) = match broken {
            Broken::Fault(Fault::ShuttingDown) => (End::DriverShutdown, Next::Ended),
            Broken::Fault(Fault::Stopped) => (End::Stopped, Next::Ended),
            Broken::Fault(fault) => {
                let error = driver.cannot("read events")(fault);
                (End::Failed, Next::Failed(error))
            }
            Broken::Record(error) => {
                let device = device();
                (End::Failed, Next::Failed(Error::Record { device, error }))
            }
            Broken::Ring(error) => {
                let device = device();
                (End::Failed, Next::Failed(Error::Ring { device, error }))
            }
        };
        self.end = Some(end);
        next
    }
}

/// The way that records come by.
enum Source {
    /// Reads that have not begun.
    Unread,
    Read(ReadAhead),
    Mapped(InPlace),
}

/// Why no record can be had.
enum Broken {
    Fault(Fault),
    Record(ReadError),
    Ring(Damaged),
}

impl From<Fault> for Broken {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Damaged> for Broken {
    fn from(damaged: Damaged) -> Self {
        Self::Ring(damaged)
    }
}

impl Source {
    /// Waits until there is a record. `false` when patience ends before.
    fn wait(&mut self, patience: Patience) -> Result<bool, Broken> {
        match self {
            Self::Unread => Ok(false),
            Self::Read(ahead) => Ok(ahead.wait(patience)?),
            Self::Mapped(ring) => ring.wait(patience),
        }
    }

    /// Bytes that begin with the next record.
    fn bytes(&mut self) -> Result<&[u8], Damaged> {
        match self {
            Self::Unread => Ok(&[]),
            Self::Read(ahead) => Ok(ahead.bytes()),
            Self::Mapped(ring) => ring.bytes(),
        }
    }

    /// That record, of `len` bytes, is done with.
    fn pass(&mut self, len: usize) {
        match self {
            Self::Unread => {}
            Self::Read(ahead) => ahead.pass(len),
            Self::Mapped(ring) => ring.pass(),
        }
    }
}

/// Maps the session's ring if that is wished for, or says why there is none to be had.
fn map(driver: &Driver, ring_size: u32, way: Way) -> Result<Result<Mapping, Unmappable>, Error> {
    if way == Way::Read {
        return Ok(Err(Unmappable::Unwanted));
    }
    match driver.transport().map_ring(ring_size) {
        Ok(mapping) => Ok(Ok(mapping)),
        // Nor are reads to be had then.
        Err(Unmappable::Refused(fault @ (Fault::ShuttingDown | Fault::Closed))) => {
            Err(driver.cannot("begin a session")(fault))
        }
        Err(why) if way == Way::Mapped || matches!(why, Unmappable::Unusable(_)) => {
            Err(Error::NotMapped {
                device: driver.device().into(),
                why,
            })
        }
        Err(why) => Ok(Err(why)),
    }
}

/// The error at the record that `passed` bytes of the stream were before.
const fn behind(passed: usize, error: ReadError) -> ReadError {
    match error {
        ReadError::Truncated { offset } => ReadError::Truncated {
            offset: passed.saturating_add(offset),
        },
        ReadError::BadSize { offset, size } => ReadError::BadSize {
            offset: passed.saturating_add(offset),
            size,
        },
        ReadError::BadBody { offset, kind } => ReadError::BadBody {
            offset: passed.saturating_add(offset),
            kind,
        },
    }
}
