//! The way to a driver in the lab: a Unix socket to `nthost serve`.

#[allow(unsafe_code)]
mod ring;
mod status;

use super::mapping::{Mapping, Unmappable};
use super::{Fault, Host, RunningProcess, Transport};
use crate::time::Time;
use crate::volumes::Volume;
use ntwatch_lab_link::{self as link, Answer, Inbox, LinkError, Query, Reply, Request};
use ntwatch_protocol::ioctl::{READ_EVENTS, WIN32_NAME};
use ring::Stop;
use std::collections::HashMap;
use std::io;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

const GENERIC_READ: u32 = 0x8000_0000;
const GENERIC_WRITE: u32 = 0x4000_0000;
/// The tag of the answer to [`Request::Open`].
const OPEN_TAG: u32 = 0;

/// One connection: one process of the lab's machine, with one handle.
pub struct Lab {
    stream: UnixStream,
    /// Held for the length of one frame.
    sending: Mutex<()>,
    next_tag: AtomicU32,
    waiting: Arc<Waiting>,
    /// The read that waits.
    read: Mutex<Option<u32>>,
    /// Whether any may.
    stop: Arc<Stop>,
    receiver: Option<JoinHandle<()>>,
}

/// What came back for a request.
enum Done {
    Completed {
        status: u32,
        output: Vec<u8>,
    },
    Answer {
        answer: Answer,
        file: Option<OwnedFd>,
    },
}

/// Who waits for which tag; `None` once the connection is closed.
struct Waiting(Mutex<Option<HashMap<u32, SyncSender<Done>>>>);

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, Option<HashMap<u32, SyncSender<Done>>>> {
        lock(&self.0)
    }

    fn done(&self, tag: u32, done: Done) {
        let waiter = self
            .lock()
            .as_mut()
            .and_then(|waiting| waiting.remove(&tag));
        if let Some(waiter) = waiter {
            let _ = waiter.send(done);
        }
    }
}

impl Lab {
    /// Connects to the socket at `path` and opens the driver's device.
    ///
    /// # Errors
    /// [`Fault::NotFound`] when nobody listens there or the driver is not loaded, and what else
    /// opening the device can be refused for.
    pub fn connect(path: &Path) -> Result<Self, Fault> {
        let stream = UnixStream::connect(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Fault::NotFound,
            _ => Fault::Io(error),
        })?;
        let waiting = Arc::new(Waiting(Mutex::new(Some(HashMap::new()))));
        let receiver = {
            let stream = stream.try_clone()?;
            let waiting = Arc::clone(&waiting);
            std::thread::spawn(move || receive(&stream, &waiting))
        };
        let lab = Self {
            stream,
            sending: Mutex::new(()),
            next_tag: AtomicU32::new(OPEN_TAG + 1),
            waiting,
            read: Mutex::default(),
            stop: Arc::new(Stop::new()?),
            receiver: Some(receiver),
        };
        let opened = lab.send(
            OPEN_TAG,
            &Request::Open {
                name: WIN32_NAME,
                access: GENERIC_READ | GENERIC_WRITE,
            },
        )?;
        completed(&opened, &mut [])?;
        Ok(lab)
    }

    /// Sends a request and gives back where its answer will come.
    fn send(&self, tag: u32, request: &Request<'_>) -> Result<Receiver<Done>, Fault> {
        let (waiter, done) = sync_channel(1);
        self.waiting
            .lock()
            .as_mut()
            .ok_or(Fault::Closed)?
            .insert(tag, waiter);
        self.transmit(request)?;
        Ok(done)
    }

    fn transmit(&self, request: &Request<'_>) -> Result<(), Fault> {
        let _one_frame = lock(&self.sending);
        link::send(&self.stream, request).map_err(fault)
    }

    fn new_tag(&self) -> u32 {
        // Wraps after four thousand million requests, long after the tag was given back.
        self.next_tag.fetch_add(1, Ordering::Relaxed)
    }

    fn query(&self, query: Query) -> Result<Answer, Fault> {
        self.query_for_file(query).map(|(answer, _)| answer)
    }

    /// The answer, and the file beside it.
    fn query_for_file(&self, query: Query) -> Result<(Answer, Option<OwnedFd>), Fault> {
        let tag = self.new_tag();
        let done = self.send(tag, &Request::Query { tag, query })?;
        match done.recv().map_err(|_| Fault::Closed)? {
            Done::Answer { answer, file } => Ok((answer, file)),
            Done::Completed { status, .. } => Err(status::fault(status)),
        }
    }
}

impl Transport for Lab {
    fn control(&self, code: u32, input: &[u8], output: &mut [u8]) -> Result<usize, Fault> {
        let tag = self.new_tag();
        let request = Request::Control {
            tag,
            code,
            input,
            output_len: u32::try_from(output.len()).unwrap_or(u32::MAX),
        };
        completed(&self.send(tag, &request)?, output)
    }

    fn read_events(&self, output: &mut [u8]) -> Result<usize, Fault> {
        let tag = self.new_tag();
        let request = Request::Control {
            tag,
            code: READ_EVENTS,
            input: &[],
            output_len: u32::try_from(output.len()).unwrap_or(u32::MAX),
        };
        let done = {
            // Sent under the lock, so that a Cancel cannot overtake it.
            let mut read = lock(&self.read);
            if self.stop.is_set() {
                return Err(Fault::Stopped);
            }
            *read = Some(tag);
            self.send(tag, &request)?
        };
        let result = completed(&done, output);
        *lock(&self.read) = None;
        result
    }

    fn map_ring(&self, ring_size: u32, wake_bytes: u32) -> Result<Mapping, Unmappable> {
        ring::map(self, ring_size, wake_bytes)
    }

    fn stop_reads(&self) {
        let mut read = lock(&self.read);
        self.stop.set();
        if let Some(tag) = read.take() {
            // If it cannot be sent, the connection is closed and the read ends by that.
            let _ = self.transmit(&Request::Cancel { tag });
        }
    }

    fn processes(&self) -> Result<Vec<RunningProcess>, Fault> {
        match self.query(Query::Processes)? {
            Answer::Processes(processes) => Ok(processes.into_iter().map(running).collect()),
            other => Err(wrong_answer(&other)),
        }
    }

    fn process(&self, pid: u32) -> Result<Option<RunningProcess>, Fault> {
        match self.query(Query::Process(pid))? {
            Answer::Process(process) => Ok(process.map(running)),
            other => Err(wrong_answer(&other)),
        }
    }

    fn enable_privilege(&self, name: &str) -> Result<(), Fault> {
        match self.query(Query::EnablePrivilege(name.into()))? {
            Answer::Status(0) => Ok(()),
            Answer::Status(status) => Err(status::fault(status)),
            other => Err(wrong_answer(&other)),
        }
    }

    fn volumes(&self) -> Result<Vec<Volume>, Fault> {
        let volume = |volume: link::Volume| Volume {
            drive: volume.drive,
            device: volume.device,
        };
        match self.query(Query::Volumes)? {
            Answer::Volumes(volumes) => Ok(volumes.into_iter().map(volume).collect()),
            other => Err(wrong_answer(&other)),
        }
    }

    fn host(&self) -> Result<Host, Fault> {
        match self.query(Query::Host)? {
            Answer::Host(host) => Ok(Host {
                name: host.name,
                boot_time: Time::known(host.boot_time),
                now: Time(host.now),
            }),
            other => Err(wrong_answer(&other)),
        }
    }

    fn account(&self, sid: &[u8]) -> Option<String> {
        match self.query(Query::Account(sid.to_vec())) {
            Ok(Answer::Account(account)) => account,
            _ => None,
        }
    }

    /// A live machine is this one, whose root is its drive C.
    fn file(&self, path: &str) -> Option<PathBuf> {
        if path.starts_with('/') {
            return Some(path.into());
        }
        let below_root = path.strip_prefix(r"C:\")?;
        Some(Path::new("/").join(below_root.replace('\\', "/")))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // Ends the receiver's read, too.
        let _ = self.stream.shutdown(Shutdown::Both);
        if let Some(receiver) = self.receiver.take() {
            let _ = receiver.join();
        }
    }
}

/// Hands replies to those who wait for them, until the connection closes.
fn receive(stream: &UnixStream, waiting: &Waiting) {
    let (mut inbox, mut frame) = (Inbox::new(stream), Vec::new());
    while let Ok(true) = link::receive(&mut inbox, &mut frame) {
        match link::decode(&frame) {
            Ok(Reply::Completed {
                tag,
                status,
                output,
                ..
            }) => {
                let output = output.to_vec();
                waiting.done(tag, Done::Completed { status, output });
            }
            Ok(Reply::Answer { tag, answer }) => {
                let file = inbox.take_file();
                waiting.done(tag, Done::Answer { answer, file });
            }
            // Not nthost, or another one: what follows makes no sense either.
            Err(_) => break,
        }
    }
    // Every waiter's sender goes, and none comes after it.
    *waiting.lock() = None;
    // Who sleeps at a ring hears of it by this.
    let _ = stream.shutdown(Shutdown::Both);
}

/// Waits for a control request and copies its output.
fn completed(done: &Receiver<Done>, output: &mut [u8]) -> Result<usize, Fault> {
    match done.recv().map_err(|_| Fault::Closed)? {
        Done::Completed {
            status,
            output: from,
        } => {
            // NT_ERROR
            if status >> 30 == 3 {
                return Err(status::fault(status));
            }
            output
                .get_mut(..from.len())
                .ok_or_else(|| Fault::Io(io::Error::other("more output than there is room for")))?
                .copy_from_slice(&from);
            Ok(from.len())
        }
        Done::Answer { answer, .. } => Err(wrong_answer(&answer)),
    }
}

fn wrong_answer(answer: &Answer) -> Fault {
    Fault::Io(io::Error::other(format!(
        "nthost answered another question: {answer:?}"
    )))
}

fn fault(error: LinkError) -> Fault {
    match error {
        LinkError::Io(error) => match error.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Fault::Closed,
            _ => Fault::Io(error),
        },
        other => Fault::Io(io::Error::other(other)),
    }
}

fn running(process: link::Process) -> RunningProcess {
    let text = |units: Vec<u16>| String::from_utf16_lossy(&units);
    RunningProcess {
        pid: process.pid,
        key: process.key,
        create_time: process.create_time.and_then(Time::known),
        parent_pid: process.parent_pid,
        parent_key: process.parent_key,
        image: process.image.map(text),
        command_line: process.command_line.map(text),
        session_id: process.session_id,
        user: process.user,
        logon_id: process.logon_id,
        integrity: process.integrity,
        elevated: process.elevated,
        protection: process.protection,
        wow64: process.wow64,
        subsystem: process.subsystem,
    }
}

/// Nothing that these locks guard is ever half done when a thread panics.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
