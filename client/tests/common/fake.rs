//! A transport without a driver.

use crate::common::assert_of_schema;
use crate::common::machine::{Machine, STATUS_PENDING};
use crate::common::records::MIDNIGHT;
use ntwatch_client::protocol::ioctl::{READ_EVENTS, STATUS_NOT_FOUND, STATUS_SHUTDOWN};
use ntwatch_client::time::Time;
use ntwatch_client::transport::mapping::{Mapping, Unmappable};
use ntwatch_client::transport::{Fault, Host, RunningProcess, Transport};
use ntwatch_client::volumes::Volume;
use ntwatch_client::{Driver, Filter, Watch};
use serde_json::Value;
use std::sync::{Arc, Condvar, Mutex};

pub(crate) struct Fake {
    pub(crate) machine: Mutex<Machine>,
    /// What runs before CONFIGURE, and after.
    pub(crate) before: Vec<RunningProcess>,
    pub(crate) after: Vec<RunningProcess>,
    /// What Windows tells of when asked about one process.
    pub(crate) asked: Vec<RunningProcess>,
    /// The pids that were asked about.
    pub(crate) questions: Mutex<Vec<u32>>,
    stopped: Mutex<bool>,
    stop: Condvar,
}

impl Fake {
    pub(crate) fn new(machine: Machine) -> Self {
        Self {
            machine: Mutex::new(machine),
            before: vec![running(4, 1, "System")],
            after: vec![running(4, 1, "System")],
            asked: Vec::new(),
            questions: Mutex::default(),
            stopped: Mutex::new(false),
            stop: Condvar::new(),
        }
    }

    pub(crate) fn driver(self) -> Driver {
        Driver::over("fake", Arc::new(self)).unwrap()
    }

    pub(crate) fn watch(self, filter: &Filter) -> Watch {
        self.driver().watch(filter).unwrap()
    }

    /// All of the stream, as a reader of JSON Lines gets it; each line is of the schema.
    pub(crate) fn lines(self) -> Vec<Value> {
        lines(self.watch(&Filter::new()))
    }
}

pub(crate) fn lines(watch: Watch) -> Vec<Value> {
    watch
        .map(|event| {
            let line = serde_json::to_string(&event.unwrap()).unwrap();
            let line = serde_json::from_str(&line).unwrap();
            assert_of_schema(&line);
            line
        })
        .collect()
}

pub(crate) fn running(pid: u32, key: u64, image: &str) -> RunningProcess {
    RunningProcess {
        pid,
        key,
        create_time: Some(Time(MIDNIGHT - 1000 + key as i64)),
        image: Some(image.into()),
        ..RunningProcess::default()
    }
}

impl Transport for Fake {
    fn control(&self, code: u32, input: &[u8], output: &mut [u8]) -> Result<usize, Fault> {
        let (status, from) = self
            .machine
            .lock()
            .unwrap()
            .control(code, input, output.len());
        output[..from.len()].copy_from_slice(&from);
        match status {
            0 => Ok(from.len()),
            STATUS_SHUTDOWN => Err(Fault::ShuttingDown),
            STATUS_NOT_FOUND => Err(Fault::Missing),
            other => Err(Fault::Status(other)),
        }
    }

    fn read_events(&self, output: &mut [u8]) -> Result<usize, Fault> {
        match self.control(READ_EVENTS, &[], output) {
            Err(Fault::Status(STATUS_PENDING)) => {
                let stopped = self.stopped.lock().unwrap();
                drop(self.stop.wait_while(stopped, |stopped| !*stopped).unwrap());
                Err(Fault::Stopped)
            }
            other => other,
        }
    }

    fn map_ring(&self, _ring_size: u32) -> Result<Mapping, Unmappable> {
        Err(Unmappable::Refused(Fault::NotSupported))
    }

    fn stop_reads(&self) {
        *self.stopped.lock().unwrap() = true;
        self.stop.notify_all();
    }

    fn processes(&self) -> Result<Vec<RunningProcess>, Fault> {
        let configured = self.machine.lock().unwrap().configured.is_some();
        Ok(if configured {
            &self.after
        } else {
            &self.before
        }
        .clone())
    }

    fn process(&self, pid: u32) -> Result<Option<RunningProcess>, Fault> {
        self.questions.lock().unwrap().push(pid);
        let found = self.asked.iter().find(|process| process.pid == pid);
        Ok(found.cloned())
    }

    fn enable_privilege(&self, _name: &str) -> Result<(), Fault> {
        Ok(())
    }

    fn volumes(&self) -> Result<Vec<Volume>, Fault> {
        Ok(vec![Volume {
            drive: "C:".into(),
            device: r"\Device\HarddiskVolume3".into(),
        }])
    }

    fn host(&self) -> Result<Host, Fault> {
        Ok(Host {
            name: "WORKSTATION5".into(),
            boot_time: Time::known(MIDNIGHT - 2000),
            now: Time(MIDNIGHT),
        })
    }

    fn account(&self, sid: &[u8]) -> Option<String> {
        (sid.last() == Some(&0)).then(|| r"NT AUTHORITY\SYSTEM".into())
    }
}
