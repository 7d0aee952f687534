//! Where records come from: what both ways have in common.

use super::End;
use super::in_place::InPlace;
use super::read_ahead::ReadAhead;
use crate::delivery::{Delivery, Route, Way};
use crate::driver::Driver;
use crate::error::Error;
use crate::transport::Fault;
use crate::transport::mapping::Unmappable;
use ntwatch_protocol::reader::{self, ReadError, Record};
use ntwatch_ring::session::Damaged;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long to wait for a record.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Patience {
    None,
    Time(Duration),
    Endless,
}

impl Patience {
    /// When it ends, if it has begun now and lasts for a time.
    pub(super) fn deadline(self) -> Option<Instant> {
        match self {
            Self::Time(time) => Instant::now().checked_add(time),
            Self::None | Self::Endless => None,
        }
    }
}

/// The way that records come by.
pub(super) enum Source {
    /// Reads that have not begun.
    Unread,
    Read(ReadAhead),
    Mapped(InPlace),
}

/// Why no record can be had.
pub(super) enum Broken {
    Fault(Fault),
    Record(ReadError),
    Ring(Damaged),
}

impl Broken {
    /// How the stream ends by it, behind so many bytes of records, and the error if it is one.
    pub(super) fn end(self, driver: &Driver, passed: usize) -> (End, Option<Error>) {
        let device = driver.device().into();
        let error = match self {
            Self::Fault(Fault::ShuttingDown) => return (End::DriverShutdown, None),
            Self::Fault(Fault::Stopped) => return (End::Stopped, None),
            Self::Fault(fault) => driver.cannot("read events")(fault),
            Self::Ring(error) => Error::Ring { device, error },
            Self::Record(error) => {
                let error = behind(passed, error);
                Error::Record { device, error }
            }
        };
        (End::Failed, Some(error))
    }
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
    /// The way that `delivery` wishes for, or the one that can be had.
    pub(super) fn choose(
        driver: &Driver,
        ring_size: u32,
        delivery: Delivery,
    ) -> Result<(Self, Route), Error> {
        let map = || {
            driver
                .transport()
                .map_ring(ring_size, delivery.linger_until)
        };
        let why = match delivery.way {
            Way::Read => Unmappable::Unwanted,
            Way::Auto | Way::Mapped => match map() {
                Ok(mapping) => {
                    let transport = Arc::clone(driver.transport());
                    let ring = InPlace::new(mapping, delivery.linger, transport);
                    return Ok((Self::Mapped(ring), Route::Mapped));
                }
                Err(why) => why,
            },
        };
        match why {
            // Nor are reads to be had then.
            Unmappable::Refused(fault @ (Fault::ShuttingDown | Fault::Closed)) => {
                Err(driver.cannot("begin a session")(fault))
            }
            why if delivery.way == Way::Mapped || matches!(why, Unmappable::Unusable(_)) => {
                let device = driver.device().into();
                Err(Error::NotMapped { device, why })
            }
            why => Ok((Self::Unread, Route::Read(why))),
        }
    }

    /// Begins to read, if it is to be read.
    pub(super) fn begin(&mut self, driver: &Driver) {
        if let Self::Unread = self {
            *self = Self::Read(ReadAhead::begin(Arc::clone(driver.transport())));
        }
    }

    /// Waits until there is a record. `false` when patience ends before.
    pub(super) fn wait(&mut self, patience: Patience) -> Result<bool, Broken> {
        match self {
            Self::Unread => Ok(false),
            Self::Read(ahead) => Ok(ahead.wait(patience)?),
            Self::Mapped(ring) => ring.wait(patience),
        }
    }

    /// The next record, if there is one.
    pub(super) fn record(&mut self) -> Result<Option<Record<'_>>, Broken> {
        let bytes = match self {
            Self::Unread => &[],
            Self::Read(ahead) => ahead.bytes(),
            Self::Mapped(ring) => ring.bytes()?,
        };
        let record = reader::Records::new(bytes).next();
        record.transpose().map_err(Broken::Record)
    }

    /// Tells the driver of all that was passed. Of reads it knows.
    pub(super) fn publish(&mut self) {
        if let Self::Mapped(ring) = self {
            ring.publish();
        }
    }

    /// That record, of `len` bytes, is done with.
    pub(super) fn pass(&mut self, len: usize) {
        match self {
            Self::Unread => {}
            Self::Read(ahead) => ahead.pass(len),
            Self::Mapped(ring) => ring.pass(),
        }
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
