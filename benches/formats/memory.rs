//! A driver whose records lie in memory.

use ntwatch_client::protocol::PROTOCOL_MAJOR;
use ntwatch_client::protocol::ioctl::{CONFIGURE, GET_STATS, GET_VERSION, Stats, Version};
use ntwatch_client::protocol::reader::Records;
use ntwatch_client::protocol::record::{Kind, MAX_RECORD_SIZE};
use ntwatch_client::time::Time;
use ntwatch_client::transport::mapping::{Mapping, Unmappable};
use ntwatch_client::transport::{Fault, Host, RunningProcess, Transport};
use ntwatch_client::volumes::Volume;
use std::sync::Mutex;
use zerocopy::{FromZeros, IntoBytes};

/// Bytes of a read: as many as the driver would give.
const READ: usize = MAX_RECORD_SIZE;

/// A machine on which nothing runs but what its records tell of.
pub(crate) struct Memory {
    /// What each read brings: whole records.
    reads: Vec<Vec<u8>>,
    /// Reads that were made, of so many.
    made: Mutex<usize>,
    all: usize,
}

impl Memory {
    /// With these records, `repeated` times.
    pub(crate) fn new(records: &[u8], repeated: usize) -> Self {
        let mut reads = vec![Vec::new()];
        let mut rest = records;
        for record in Records::new(records) {
            let record = record.expect("the driver writes records");
            let (bytes, behind) = rest.split_at(record.header().size as usize);
            rest = behind;
            if reads
                .last()
                .is_some_and(|read| read.len() + bytes.len() > READ)
            {
                reads.push(Vec::new());
            }
            reads
                .last_mut()
                .expect("there is one")
                .extend_from_slice(bytes);
        }
        let (made, all) = (Mutex::new(0), reads.len() * repeated);
        Self { reads, made, all }
    }
}

impl Transport for Memory {
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
        output[..answer.len()].copy_from_slice(answer);
        Ok(answer.len())
    }

    fn read_events(&self, output: &mut [u8]) -> Result<usize, Fault> {
        let mut made = self.made.lock().expect("nothing panics here");
        if *made == self.all {
            return Err(Fault::Stopped);
        }
        let read = &self.reads[*made % self.reads.len()];
        *made += 1;
        output[..read.len()].copy_from_slice(read);
        Ok(read.len())
    }

    fn map_ring(&self, _: u32, _: u32) -> Result<Mapping, Unmappable> {
        Err(Unmappable::Refused(Fault::NotSupported))
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
            name: "memory".to_owned(),
            boot_time: None,
            now: Time(0),
        })
    }

    fn account(&self, _: &[u8]) -> Option<String> {
        None
    }
}
