//! An open handle of the driver.

use crate::delivery::{Delivery, Route, Way};
use crate::device;
use crate::error::Error;
use crate::event::{Body, ProcessStart};
use crate::filter::Filter;
use crate::names::Names;
use crate::records::Records;
use crate::session::Session;
use crate::transport::{Fault, Host, RunningProcess, Transport};
use crate::watch::Watch;
use ntwatch_protocol::PROTOCOL_MAJOR;
use ntwatch_protocol::configure::MIN_RING_SIZE;
use ntwatch_protocol::ioctl::{self, Stats, Version};
use ntwatch_protocol::record::Kind;
use std::collections::BTreeMap;
use std::sync::Arc;
use zerocopy::{FromBytes, FromZeros, IntoBytes};

/// An open handle of the driver, of the protocol that this crate speaks. Dropping it closes the
/// handle.
pub struct Driver {
    device: String,
    transport: Arc<dyn Transport>,
    version: Version,
}

impl Driver {
    /// Opens `device`: `\\.\ntwatch` on Windows, `unix:PATH` for a lab's.
    ///
    /// # Errors
    /// [`Error::DeviceName`], [`Error::Open`], and those of [`Driver::over`].
    pub fn open(device: &str) -> Result<Self, Error> {
        Self::over(device, device::open(device)?)
    }

    /// Uses a transport that is open already; `device` is what errors call it.
    ///
    /// # Errors
    /// [`Error::NotNtwatch`] or [`Error::OtherProtocol`], when the device is not what this crate
    /// can talk to.
    pub fn over(device: &str, transport: Arc<dyn Transport>) -> Result<Self, Error> {
        let mut answer = [0; 256];
        let len = transport
            .control(ioctl::GET_VERSION, &[], &mut answer)
            .map_err(|fault| Error::NotNtwatch {
                device: device.into(),
                fault,
            })?;
        let answer = answer.get(..len).unwrap_or(&answer);
        // In every version: size, major, minor. What follows may differ.
        let ([_, protocol], _) = <[u32; 2]>::read_from_prefix(answer).map_err(|_| short(device))?;
        let (major, minor) = (protocol as u16, (protocol >> 16) as u16);
        if major != PROTOCOL_MAJOR {
            return Err(Error::OtherProtocol {
                device: device.into(),
                major,
                minor,
            });
        }
        let (version, _) = Version::read_from_prefix(answer).map_err(|_| short(device))?;
        Ok(Self {
            device: device.into(),
            transport,
            version,
        })
    }

    /// The name that it was opened by.
    #[must_use]
    pub fn device(&self) -> &str {
        &self.device
    }

    /// What the driver said to GET_VERSION.
    #[must_use]
    pub const fn version(&self) -> &Version {
        &self.version
    }

    /// The machine that it runs on.
    ///
    /// # Errors
    /// [`Error::Request`] when the machine does not say.
    pub fn host(&self) -> Result<Host, Error> {
        self.transport
            .host()
            .map_err(self.cannot("ask for the machine's name and times"))
    }

    /// The process that has this pid now, if Windows tells anything about it. N.B. Windows takes a
    /// pid for the multiple of four below it: the process that is found says which pid it has.
    ///
    /// # Errors
    /// [`Error::Request`] when the machine does not say.
    pub fn process(&self, pid: u32) -> Result<Option<RunningProcess>, Error> {
        self.transport
            .process(pid)
            .map_err(self.cannot("ask about a process"))
    }

    /// What a process is called: its image's DOS path where the volume is mapped, else the NT
    /// path. `None` if it has ended, or Windows does not tell.
    ///
    /// # Errors
    /// [`Error::Request`] when the machine does not say which volumes there are.
    pub fn image(&self, pid: u32, key: u64) -> Result<Option<Arc<str>>, Error> {
        let names = Names::new(Arc::clone(&self.transport));
        let mut names = names.map_err(self.cannot("ask for volumes"))?;
        Ok(names.of_process((pid, key)))
    }

    /// The counters of the driver and of this handle's session.
    ///
    /// # Errors
    /// [`Error::Request`] when the driver does not answer.
    pub fn stats(&self) -> Result<Stats, Error> {
        let failed = self.cannot("read the driver's counters");
        let mut stats = Stats::new_zeroed();
        match self
            .transport
            .control(ioctl::GET_STATS, &[], stats.as_mut_bytes())
        {
            Ok(len) if len >= size_of::<Stats>() => Ok(stats),
            Ok(_) => Err(failed(Fault::ShortAnswer)),
            Err(fault) => Err(failed(fault)),
        }
    }

    /// Ends every session's reads and refuses new ones, so that the driver can be unloaded.
    ///
    /// # Errors
    /// [`Error::Request`] when the driver refuses.
    pub fn shut_down(&self) -> Result<(), Error> {
        self.transport
            .control(ioctl::SHUTDOWN, &[], &mut [])
            .map(|_| ())
            .map_err(self.cannot("tell the driver to shut down"))
    }

    /// Begins to watch: this handle's session sees events from here on.
    ///
    /// # Errors
    /// [`Error::Filter`] for a filter that cannot be asked for, [`Error::Request`] when the
    /// driver or the machine refuses something.
    pub fn watch(self, filter: &Filter) -> Result<Watch, Error> {
        self.watch_by(filter, Delivery::default())
    }

    /// As [`Self::watch`], with the events delivered as is wished.
    ///
    /// # Errors
    /// As for [`Self::watch`], and [`Error::NotMapped`].
    pub fn watch_by(self, filter: &Filter, delivery: Delivery) -> Result<Watch, Error> {
        Watch::begin(self, filter, delivery)
    }

    /// The processes that run, the oldest first: those that ran when this was asked, with what has
    /// started and without what has ended until that was known.
    ///
    /// # Errors
    /// As for [`Self::watch`], and whatever else ends the stream.
    pub fn processes(self) -> Result<Vec<ProcessStart>, Error> {
        let filter = Filter::new().event(Kind::ProcessStart);
        let mut watch = self.watch(&filter.event(Kind::ProcessExit))?;
        // By start key: the pid of one that has ended may be another's by now.
        let mut all = BTreeMap::new();
        while !(watch.is_caught_up() && watch.knows_who_runs())
            && let Some(event) = watch.next()
        {
            match event?.body {
                Body::ProcessRunning(start) | Body::ProcessStart(start) => {
                    all.insert(start.process.key.0, *start);
                }
                Body::ProcessExit(exit) => drop(all.remove(&exit.process.key.0)),
                _ => {}
            }
        }
        Ok(all.into_values().collect())
    }

    /// As [`Self::watch_by`], for those who want the driver's records as they are: process starts
    /// and exits among them, asked for or not.
    ///
    /// # Errors
    /// As for [`Self::watch_by`].
    pub fn records(self, filter: &Filter, delivery: Delivery) -> Result<Records, Error> {
        Ok(Session::begin(self, filter, delivery)?.records)
    }

    /// Finds out by which way the records of a session would come, by asking for the smallest ring.
    ///
    /// # Errors
    /// [`Error::NotMapped`], and [`Error::Request`] when there would be no session at all.
    pub fn route(self, way: Way) -> Result<Route, Error> {
        let records = Records::choose(self, MIN_RING_SIZE, Delivery::by(way))?;
        Ok(records.into_route())
    }

    pub(crate) fn transport(&self) -> &Arc<dyn Transport> {
        &self.transport
    }

    /// Makes an error of a fault.
    pub(crate) fn cannot(&self, what: &'static str) -> impl Fn(Fault) -> Error + use<> {
        let device = self.device.clone();
        move |fault| Error::Request {
            device: device.clone(),
            what,
            fault,
        }
    }
}

fn short(device: &str) -> Error {
    Error::NotNtwatch {
        device: device.into(),
        fault: Fault::ShortAnswer,
    }
}
