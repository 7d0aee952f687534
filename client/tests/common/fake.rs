//! A transport without a driver.

use crate::common::assert_of_schema;
use crate::common::machine::{Machine, STATUS_PENDING};
use crate::common::records::MIDNIGHT;
use crate::common::ring::{DriverRing, RING_SIZE, Shared, WAKE_BYTES};
use ntwatch_client::protocol::ioctl::{READ_EVENTS, STATUS_NOT_FOUND, STATUS_SHUTDOWN};
use ntwatch_client::time::Time;
use ntwatch_client::transport::mapping::{Mapping, Unmappable, Views, Wake, Woken};
use ntwatch_client::transport::{Fault, Host, RunningProcess, Transport};
use ntwatch_client::volumes::Volume;
use ntwatch_client::{Driver, Error, Event, Filter, Watch};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

pub(crate) struct Fake {
    pub(crate) machine: Mutex<Machine>,
    /// What runs before CONFIGURE, and after.
    pub(crate) before: Vec<RunningProcess>,
    pub(crate) after: Vec<RunningProcess>,
    /// What Windows tells of when asked about one process.
    pub(crate) asked: Vec<RunningProcess>,
    /// The pids that were asked about.
    pub(crate) questions: Mutex<Vec<u32>>,
    /// Where the files of its drive C are.
    pub(crate) drive: Option<PathBuf>,
    /// Nobody finds a file while somebody holds it.
    pub(crate) door: Arc<Mutex<()>>,
    /// Its ring, for who maps it; without one it is a driver that does not know how.
    grants: Mutex<Option<(Shared, Box<dyn Wake>)>>,
    /// The driver's side of that.
    ring: Option<Arc<Mutex<DriverRing>>>,
    bell: Arc<Bell>,
}

impl Fake {
    pub(crate) fn new(machine: Machine) -> Self {
        Self {
            machine: Mutex::new(machine),
            before: vec![running(4, 1, "System")],
            after: vec![running(4, 1, "System")],
            asked: Vec::new(),
            questions: Mutex::default(),
            drive: None,
            door: Arc::default(),
            grants: Mutex::default(),
            ring: None,
            bell: Arc::default(),
        }
    }

    /// Lets its ring be mapped, and gives the driver's side of it.
    pub(crate) fn grant_ring(&mut self) -> Arc<Mutex<DriverRing>> {
        let (shared, bell) = (Shared::new(), Arc::clone(&self.bell));
        let ring = DriverRing::new(shared, move || bell.signal());
        let ring = Arc::new(Mutex::new(ring));
        self.ring = Some(Arc::clone(&ring));
        self.grant(shared, Box::new(Listener(Arc::clone(&self.bell))));
        ring
    }

    /// Lets what lies there be mapped for its ring, whose reader sleeps so.
    pub(crate) fn grant(&mut self, shared: Shared, wake: Box<dyn Wake>) {
        self.grants = Mutex::new(Some((shared, wake)));
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

pub(crate) fn lines(watch: impl Iterator<Item = Result<Event, Error>>) -> Vec<Value> {
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

/// What readers sleep by: an event that resets itself, and a stop that lasts.
#[derive(Debug, Default)]
struct Bell {
    state: Mutex<Rung>,
    changed: Condvar,
}

#[derive(Clone, Copy, Debug, Default)]
struct Rung {
    signalled: bool,
    stopped: bool,
}

impl Bell {
    fn signal(&self) {
        self.state.lock().unwrap().signalled = true;
        self.changed.notify_all();
    }

    fn stop(&self) {
        self.state.lock().unwrap().stopped = true;
        self.changed.notify_all();
    }

    fn wait_for_stop(&self) {
        let state = self.state.lock().unwrap();
        drop(self.changed.wait_while(state, |rung| !rung.stopped));
    }
}

/// Who sleeps until the bell is rung.
#[derive(Debug)]
struct Listener(Arc<Bell>);

impl Wake for Listener {
    fn wait(&self, timeout: Option<Duration>) -> Result<Woken, Fault> {
        let quiet = |rung: &mut Rung| !rung.signalled && !rung.stopped;
        let bell = &self.0;
        let state = bell.state.lock().unwrap();
        let timeout = timeout.unwrap_or(Duration::MAX);
        let (mut state, _) = bell
            .changed
            .wait_timeout_while(state, timeout, quiet)
            .unwrap();
        if state.stopped {
            return Err(Fault::Stopped);
        }
        Ok(if std::mem::take(&mut state.signalled) {
            Woken::Signalled
        } else {
            Woken::TimedOut
        })
    }

    fn is_stopped(&self) -> bool {
        self.0.state.lock().unwrap().stopped
    }
}

impl Transport for Fake {
    fn control(&self, code: u32, input: &[u8], output: &mut [u8]) -> Result<usize, Fault> {
        let mut machine = self.machine.lock().unwrap();
        let (status, from) = match &self.ring {
            Some(ring) => {
                let mut ring = ring.lock().unwrap();
                ring.control(&mut machine, code, input, output.len())
            }
            None => machine.control(code, input, output.len()),
        };
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
                self.bell.wait_for_stop();
                Err(Fault::Stopped)
            }
            other => other,
        }
    }

    fn map_ring(&self, _ring_size: u32, _wake_bytes: u32) -> Result<Mapping, Unmappable> {
        let granted = self.grants.lock().unwrap().take();
        let (shared, wake) = granted.ok_or(Unmappable::Refused(Fault::UnknownRequest))?;
        // SAFETY: memory that stays, as long as is said; the driver's side lives by the rules, and
        // where there is none nothing changes.
        let views = unsafe { Views::new(shared.ring, RING_SIZE, shared.consumer, ()) };
        Ok(Mapping {
            views: views.unwrap(),
            wake,
            wake_bytes: WAKE_BYTES,
        })
    }

    fn stop_reads(&self) {
        self.bell.stop();
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

    fn file(&self, path: &str) -> Option<PathBuf> {
        drop(self.door.lock());
        let name = path.strip_prefix(r"C:\")?;
        Some(self.drive.as_ref()?.join(name))
    }
}
