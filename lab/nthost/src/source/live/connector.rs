//! Linux's proc connector: the kernel's own word on who forks, executes and exits.
//!
//! See `Documentation/driver-api/connector.rst` and `linux/cn_proc.h` of Linux.

use std::mem::{self, MaybeUninit};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};
use std::{io, thread};

/// What the kernel says of processes and threads. A process' id is that of its first thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A process was copied from another, by this thread of it.
    Fork { parent: u32, tid: u32, child: u32 },
    /// A process runs another program now.
    Exec { pid: u32 },
    /// A process ended, or its first thread; `status` as `wait` gives it.
    Exit { pid: u32, status: u32 },
    /// A process has another thread. N.B. Linux does not say which of its threads started it.
    ThreadStart { pid: u32, tid: u32 },
    /// A thread that was not the first ended.
    ThreadExit { pid: u32, tid: u32, status: u32 },
}

/// A subscription.
pub(super) struct Connector {
    socket: OwnedFd,
}

/// What came of a wait.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Received {
    pub(super) events: Vec<Event>,
    /// Linux had to drop events. Those that it had queued before still come.
    pub(super) overrun: bool,
    /// There may be more already.
    pub(super) more: bool,
}

/// So many datagrams are taken at once, so that no load keeps the source from its other duties.
const BATCH: usize = 4096;

const CN_IDX_PROC: u32 = 1;
const CN_VAL_PROC: u32 = 1;
const PROC_CN_MCAST_LISTEN: u32 = 1;
const NLMSG_DONE: u16 = 3;
const NETLINK_HEADER: usize = 16;
const CONNECTOR_HEADER: usize = 20;
/// Behind both headers: what happened, the CPU, and a time stamp of 8 bytes.
const EVENT_DATA: usize = 16;
const WHAT_FORK: u32 = 1;
const WHAT_EXEC: u32 = 2;
const WHAT_EXIT: u32 = 0x8000_0000;
/// Enough for some seconds of the busiest machine.
static RECEIVE_BUFFER: libc::c_int = 16 << 20;
/// How long the first event may take.
const PROBE: Duration = Duration::from_millis(500);

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}

impl Connector {
    /// Subscribes, and makes sure that events do come: inside a container Linux says nothing
    /// and means no.
    pub(super) fn open() -> io::Result<Connector> {
        // SAFETY: no memory is passed.
        let socket = check(unsafe {
            libc::socket(
                libc::AF_NETLINK,
                libc::SOCK_DGRAM | libc::SOCK_CLOEXEC,
                libc::NETLINK_CONNECTOR,
            )
        })?;
        // SAFETY: a new descriptor that nobody else has.
        let socket = unsafe { OwnedFd::from_raw_fd(socket) };
        // SAFETY: all zeros are a valid address.
        let mut address: libc::sockaddr_nl = unsafe { MaybeUninit::zeroed().assume_init() };
        address.nl_family = libc::AF_NETLINK as u16;
        address.nl_groups = CN_IDX_PROC;
        // SAFETY: the address is of the size that is passed.
        check(unsafe {
            libc::bind(
                socket.as_raw_fd(),
                (&raw const address).cast(),
                size_of_val(&address) as u32,
            )
        })?;
        for option in [libc::SO_RCVBUFFORCE, libc::SO_RCVBUF] {
            // SAFETY: the value is of the size that is passed. A small buffer will do as well.
            let set = unsafe {
                libc::setsockopt(
                    socket.as_raw_fd(),
                    libc::SOL_SOCKET,
                    option,
                    (&raw const RECEIVE_BUFFER).cast(),
                    size_of_val(&RECEIVE_BUFFER) as u32,
                )
            };
            if set == 0 {
                break;
            }
        }
        let connector = Connector { socket };
        connector.subscribe()?;
        connector.probe()?;
        Ok(connector)
    }

    /// One that never has events.
    #[cfg(test)]
    pub(super) fn silent() -> Connector {
        let socket = std::os::unix::net::UnixDatagram::unbound().unwrap();
        Connector {
            socket: socket.into(),
        }
    }

    fn subscribe(&self) -> io::Result<()> {
        let mut message = Vec::new();
        let len = (NETLINK_HEADER + CONNECTOR_HEADER + 4) as u32;
        message.extend(len.to_ne_bytes());
        message.extend(NLMSG_DONE.to_ne_bytes());
        message.extend([0; 10]);
        message.extend(CN_IDX_PROC.to_ne_bytes());
        message.extend(CN_VAL_PROC.to_ne_bytes());
        message.extend([0; 8]);
        message.extend(4u16.to_ne_bytes());
        message.extend([0; 2]);
        message.extend(PROC_CN_MCAST_LISTEN.to_ne_bytes());
        // SAFETY: the message is of the size that is passed.
        let sent = unsafe {
            libc::send(
                self.socket.as_raw_fd(),
                message.as_ptr().cast(),
                message.len(),
                0,
            )
        };
        if sent < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    /// A thread of our own is a fork that has to show up.
    fn probe(&self) -> io::Result<()> {
        let _ = thread::spawn(|| {}).join();
        let until = Instant::now() + PROBE;
        let mut datagram = [0; 4096];
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            if self.wait(left)? && self.receive_one(&mut datagram)? > 0 {
                return Ok(());
            }
        }
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "Linux sends no process events here, as in a container",
        ))
    }

    /// Waits up to `timeout` for events, and takes those that are there, up to a batch.
    pub(super) fn receive(&self, mut timeout: Duration) -> io::Result<Received> {
        let mut datagram = [0; 4096];
        gather(|| {
            if !self.wait(mem::take(&mut timeout))? {
                return Ok(None);
            }
            let len = self.receive_one(&mut datagram)?;
            Ok(Some(parse(&datagram[..len])))
        })
    }

    fn wait(&self, timeout: Duration) -> io::Result<bool> {
        let mut poll = libc::pollfd {
            fd: self.socket.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one structure is passed, and a count of one.
        let ready = unsafe { libc::poll(&raw mut poll, 1, timeout.as_millis() as libc::c_int) };
        match check(ready) {
            Ok(ready) => Ok(ready > 0),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Ok(false),
            Err(e) => Err(e),
        }
    }

    fn receive_one(&self, datagram: &mut [u8]) -> io::Result<usize> {
        // SAFETY: the buffer is of the size that is passed.
        let len = unsafe {
            libc::recv(
                self.socket.as_raw_fd(),
                datagram.as_mut_ptr().cast(),
                datagram.len(),
                0,
            )
        };
        usize::try_from(len).map_err(|_| io::Error::last_os_error())
    }
}

/// A batch of what `next` gives: the event of a datagram, if it has one, or `None` when there are
/// no more.
fn gather(mut next: impl FnMut() -> io::Result<Option<Option<Event>>>) -> io::Result<Received> {
    let mut received = Received::default();
    for _ in 0..BATCH {
        match next() {
            Ok(Some(event)) => received.events.extend(event),
            Ok(None) => return Ok(received),
            Err(e) if e.raw_os_error() == Some(libc::ENOBUFS) => received.overrun = true,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    received.more = true;
    Ok(received)
}

/// The event in a datagram, if it is one of those.
fn parse(datagram: &[u8]) -> Option<Event> {
    let event = datagram.get(NETLINK_HEADER + CONNECTOR_HEADER..)?;
    let number = |at: usize| {
        let bytes = event.get(at..)?.first_chunk()?;
        Some(u32::from_ne_bytes(*bytes))
    };
    let data = |index: usize| number(EVENT_DATA + 4 * index);
    match number(0)? {
        // Parent thread, parent process, child thread, child process. A thread's parent is that of
        // its process.
        WHAT_FORK => {
            let (creator, parent, tid, pid) = (data(0)?, data(1)?, data(2)?, data(3)?);
            Some(match tid == pid {
                true => Event::Fork {
                    parent,
                    tid: creator,
                    child: pid,
                },
                false => Event::ThreadStart { pid, tid },
            })
        }
        // Thread, process: the thread that executes becomes the process.
        WHAT_EXEC => Some(Event::Exec { pid: data(1)? }),
        // Thread, process, status.
        WHAT_EXIT => {
            let (tid, pid, status) = (data(0)?, data(1)?, data(2)?);
            Some(match tid == pid {
                true => Event::Exit { pid, status },
                false => Event::ThreadExit { pid, tid, status },
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn datagram(what: u32, data: &[u32]) -> Vec<u8> {
        let mut bytes = vec![0; NETLINK_HEADER + CONNECTOR_HEADER];
        bytes.extend(what.to_ne_bytes());
        bytes.extend([0; 12]);
        bytes.extend(data.iter().flat_map(|number| number.to_ne_bytes()));
        bytes
    }

    #[test]
    fn processes_are_told_from_threads() {
        let fork = Event::Fork {
            parent: 7,
            tid: 8,
            child: 9,
        };
        assert_eq!(parse(&datagram(WHAT_FORK, &[8, 7, 9, 9])), Some(fork));
        let thread = Event::ThreadStart { pid: 7, tid: 9 };
        assert_eq!(parse(&datagram(WHAT_FORK, &[1, 1, 9, 7])), Some(thread));
        assert_eq!(
            parse(&datagram(WHAT_EXEC, &[9, 9])),
            Some(Event::Exec { pid: 9 })
        );
        let exit = Event::Exit {
            pid: 9,
            status: 256,
        };
        assert_eq!(parse(&datagram(WHAT_EXIT, &[9, 9, 256, 17])), Some(exit));
        let exit = Event::ThreadExit {
            pid: 9,
            tid: 10,
            status: 0,
        };
        assert_eq!(parse(&datagram(WHAT_EXIT, &[10, 9, 0, 17])), Some(exit));
    }

    #[test]
    fn an_overrun_costs_no_event_that_arrived() {
        let (one, two) = (Event::Exec { pid: 1 }, Event::Exec { pid: 2 });
        let overrun = || io::Error::from_raw_os_error(libc::ENOBUFS);
        let mut queue = [Ok(Some(Some(one))), Err(overrun()), Ok(Some(Some(two)))].into_iter();
        let received = gather(|| queue.next().unwrap_or(Ok(None))).unwrap();
        let expected = Received {
            events: vec![one, two],
            overrun: true,
            more: false,
        };
        assert_eq!(received, expected);
    }

    #[test]
    fn a_batch_ends_although_events_keep_coming() {
        let mut threads = 0;
        let received = gather(|| {
            threads += 1;
            Ok(Some((threads % 2 == 0).then_some(Event::Exec { pid: 9 })))
        })
        .unwrap();
        assert!(received.more);
        assert_eq!((threads, received.events.len()), (BATCH, BATCH / 2));
    }

    proptest! {
        #[test]
        fn a_datagram_of_any_kind_is_an_event_or_nothing(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }
    }
}
