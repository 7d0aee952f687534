//! How a session's records come to this client.

use crate::transport::mapping::Unmappable;
use std::fmt;
use std::time::Duration;

/// The way that is wished for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// The mapped ring if it can be had, else reads. N.B. Should the driver grant a ring that this
    /// process then cannot map, that is an error: a session has one way, and rules that stand with
    /// this one would end if another were opened.
    #[default]
    Auto,
    /// READ_EVENTS: the driver copies records into this client's buffers, a request for each
    /// batch.
    Read,
    /// MAP_RING: this client reads the records where the driver wrote them, without a request.
    Mapped,
}

/// How records are to come, and how promptly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    pub(crate) way: Way,
    pub(crate) linger: Duration,
    /// 0 for a quarter of the ring.
    pub(crate) linger_until: u32,
}

impl Delivery {
    /// This way, each record as soon as it is there.
    #[must_use]
    pub const fn by(way: Way) -> Self {
        Self {
            way,
            linger: Duration::ZERO,
            linger_until: 0,
        }
    }

    /// Lets a record that comes when there is no other wait for company, up to `time` or until a
    /// quarter of the ring is full: fewer wake-ups. Of the mapped ring only; reads do not linger.
    /// N.B. Windows' waits end at a tick of its clock, 15.6 ms apart unless somebody asked for
    /// shorter ones.
    #[must_use]
    pub const fn linger(mut self, time: Duration) -> Self {
        self.linger = time;
        self
    }

    /// Lets records that [linger](Self::linger) do so until there are so many bytes of them instead
    /// of a quarter of the ring; at most half of it.
    #[must_use]
    pub const fn linger_until(mut self, bytes: u32) -> Self {
        self.linger_until = bytes;
        self
    }
}

/// The way that is taken. Shown, it is `mapped`, or `read` and why.
#[derive(Debug)]
pub enum Route {
    /// The ring is mapped.
    Mapped,
    /// Reads, as the ring cannot be mapped for this reason.
    Read(Unmappable),
}

impl Route {
    /// `mapped` or `read`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Mapped => "mapped",
            Self::Read(_) => "read",
        }
    }

    /// Why the ring is not mapped, if it is not.
    #[must_use]
    pub const fn why_not_mapped(&self) -> Option<&Unmappable> {
        match self {
            Self::Mapped => None,
            Self::Read(why) => Some(why),
        }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mapped => f.write_str(self.name()),
            Self::Read(why) => write!(f, "{}, not mapped: {why}", self.name()),
        }
    }
}
