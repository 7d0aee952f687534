//! A driver that the client believes in, and that gives it whatever is to be tried.

use ntwatch_client::protocol::PROTOCOL_MAJOR;
use ntwatch_client::protocol::ioctl::{CONFIGURE, GET_STATS, GET_VERSION, Stats, Version};
use ntwatch_client::protocol::record::{Kind, MAX_RECORD_SIZE};
use ntwatch_client::time::Time;
use ntwatch_client::transport::mapping::{Mapping, Unmappable};
use ntwatch_client::transport::{Fault, Host, RunningProcess, Transport};
use ntwatch_client::volumes::Volume;
use ntwatch_client::{Delivery, Driver, Event, Filter, Way};
use std::sync::{Arc, Mutex};
use zerocopy::{FromZeros, IntoBytes};

/// A machine on which nothing runs.
#[derive(Default)]
pub(super) struct Machine {
    /// What the next read brings.
    read: Mutex<Vec<u8>>,
    /// The ring, until it is asked for.
    ring: Mutex<Option<Mapping>>,
}

/// Watches to the end, as the command line does.
pub(super) fn watch(machine: Machine, way: Way) {
    for event in events(machine, way) {
        serde_json::to_string(&event).expect("every event can be printed");
    }
}

/// The events of a session.
pub(super) fn events(machine: Machine, way: Way) -> impl Iterator<Item = Event> {
    let driver = Driver::over("fuzz", Arc::new(machine)).expect("it is ntwatch");
    let watch = driver.watch_by(&Filter::new(), Delivery::by(way));
    watch.expect("the session begins").flatten()
}

impl Machine {
    /// Whose reads bring `bytes`, then end.
    pub(super) fn reads(bytes: Vec<u8>) -> Self {
        Self {
            read: Mutex::new(bytes),
            ..Self::default()
        }
    }

    /// Whose sessions have this ring.
    pub(super) fn mapped(ring: Mapping) -> Self {
        Self {
            ring: Mutex::new(Some(ring)),
            ..Self::default()
        }
    }
}

impl Transport for Machine {
    fn control(&self, code: u32, _: &[u8], output: &mut [u8]) -> Result<usize, Fault> {
        let mut version = Version::new_zeroed();
        version.size = size_of::<Version>() as u32;
        version.protocol_major = PROTOCOL_MAJOR;
        version.kinds = Kind::ALL_EVENTS;
        version.max_record_size = MAX_RECORD_SIZE as u32;
        let stats = Stats::new_zeroed();
        let answer = match code {
            GET_VERSION => version.as_bytes(),
            GET_STATS => stats.as_bytes(),
            CONFIGURE => &[],
            _ => return Err(Fault::UnknownRequest),
        };
        let room = output.get_mut(..answer.len()).ok_or(Fault::ShortAnswer)?;
        room.copy_from_slice(answer);
        Ok(answer.len())
    }

    fn read_events(&self, output: &mut [u8]) -> Result<usize, Fault> {
        let mut read = self.read.lock().expect("nothing panics here");
        let len = read.len().min(output.len());
        if len == 0 {
            return Err(Fault::Stopped);
        }
        output[..len].copy_from_slice(&read[..len]);
        read.drain(..len);
        Ok(len)
    }

    fn map_ring(&self, _: u32, _: u32) -> Result<Mapping, Unmappable> {
        let ring = self.ring.lock().expect("nothing panics here").take();
        ring.ok_or(Unmappable::Refused(Fault::NotSupported))
    }

    fn stop_reads(&self) {}

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
            name: "fuzz".to_owned(),
            boot_time: None,
            now: Time(0),
        })
    }

    fn account(&self, _: &[u8]) -> Option<String> {
        None
    }
}
