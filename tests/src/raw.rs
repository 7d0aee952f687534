//! A client that says to the driver whatever a test wants, well formed or not.

use crate::lab::{Machine, PATIENCE};
use crate::machine::configure_input;
use ntwatch_lab_link::{Answer, Inbox, Query, Reply, Request, decode, receive, send};
use ntwatch_protocol::configure::{AccessMasks, Clause};
use ntwatch_protocol::ioctl::{self, Stats};
use ntwatch_protocol::record::{Kind, MAX_RECORD_SIZE};
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use zerocopy::FromBytes;

/// `GENERIC_READ | GENERIC_WRITE`.
pub const READ_WRITE: u32 = 0xC000_0000;
/// `GENERIC_READ`.
pub const READ: u32 = 0x8000_0000;

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// NTSTATUS.
    pub status: u32,
    /// Bytes that the driver says it wrote.
    pub information: u64,
    /// What came back of the output buffer.
    pub output: Vec<u8>,
}

/// A process with one handle.
#[derive(Debug)]
pub struct Raw {
    socket: UnixStream,
    next_tag: u32,
    done: HashMap<u32, Done>,
}

impl Raw {
    /// Starts a process and opens `name` in it.
    ///
    /// # Errors
    /// The NTSTATUS that the open was refused with.
    pub fn open(machine: &Machine, name: &str, access: u32) -> Result<Self, u32> {
        Self::connect(machine.socket(), name, access)
    }

    /// As [`Raw::open`], on the machine that listens there.
    ///
    /// # Errors
    /// The NTSTATUS that the open was refused with.
    pub fn connect(socket: &Path, name: &str, access: u32) -> Result<Self, u32> {
        let socket = UnixStream::connect(socket).expect("nthost listens");
        socket
            .set_read_timeout(Some(PATIENCE))
            .expect("a timeout that is not zero");
        let mut raw = Self {
            socket,
            next_tag: 1,
            done: HashMap::new(),
        };
        send(&raw.socket, &Request::Open { name, access }).expect("a frame is sent");
        match raw.wait(0) {
            Done { status: 0, .. } => Ok(raw),
            Done { status, .. } => Err(status),
        }
    }

    /// As [`Raw::open`], for a test that needs the device open.
    ///
    /// # Panics
    /// When it is refused.
    #[must_use]
    pub fn open_device(machine: &Machine) -> Self {
        Self::open(machine, ioctl::WIN32_NAME, READ_WRITE).expect("an administrator may open it")
    }

    /// Sends a control request. Gives its tag.
    ///
    /// # Panics
    /// When nthost is gone.
    pub fn submit(&mut self, code: u32, input: &[u8], output_len: usize) -> u32 {
        let tag = self.next_tag;
        self.next_tag += 1;
        let output_len = output_len as u32;
        send(
            &self.socket,
            &Request::Control {
                tag,
                code,
                input,
                output_len,
            },
        )
        .expect("a frame is sent");
        tag
    }

    /// Asks for a request to be cancelled.
    ///
    /// # Panics
    /// When nthost is gone.
    pub fn cancel(&self, tag: u32) {
        send(&self.socket, &Request::Cancel { tag }).expect("a frame is sent");
    }

    /// Waits for the end of one request; others may end before it.
    ///
    /// # Panics
    /// When nthost is gone, or the request does not end.
    pub fn wait(&mut self, wanted: u32) -> Done {
        let mut buffer = Vec::new();
        loop {
            if let Some(done) = self.done.remove(&wanted) {
                return done;
            }
            let received = receive(&self.socket, &mut buffer)
                .unwrap_or_else(|e| panic!("no reply while request {wanted} is under way: {e}"));
            assert!(received, "nthost is gone");
            match decode(&buffer).expect("a reply") {
                Reply::Completed {
                    tag,
                    status,
                    information,
                    output,
                } => {
                    let output = output.to_vec();
                    let earlier = self.done.insert(
                        tag,
                        Done {
                            status,
                            information,
                            output,
                        },
                    );
                    assert_eq!(earlier, None, "request {tag} was completed twice");
                }
                Reply::Answer { .. } => panic!("nobody asked"),
            }
        }
    }

    /// Asks the machine something while no request is under way. Gives the file that came with the
    /// answer, if one did.
    ///
    /// # Panics
    /// When nthost is gone or answers something else.
    pub fn ask(&mut self, query: Query) -> (Answer, Option<OwnedFd>) {
        let tag = self.next_tag;
        self.next_tag += 1;
        send(&self.socket, &Request::Query { tag, query }).expect("a frame is sent");
        let (mut inbox, mut buffer) = (Inbox::new(&self.socket), Vec::new());
        assert!(
            receive(&mut inbox, &mut buffer).expect("a reply"),
            "nthost is gone"
        );
        match decode(&buffer).expect("a reply") {
            Reply::Answer {
                tag: answered,
                answer,
            } if answered == tag => (answer, inbox.take_file()),
            other => panic!("another reply than to {tag}: {other:?}"),
        }
    }

    /// A control request and its end.
    pub fn control(&mut self, code: u32, input: &[u8], output_len: usize) -> Done {
        let tag = self.submit(code, input, output_len);
        self.wait(tag)
    }

    /// Begins to see all events, with a ring of `ring_size` bytes (0 for the default).
    ///
    /// # Panics
    /// When it is refused.
    pub fn configure_all(&mut self, ring_size: u32) {
        let all = [Clause::Access(AccessMasks::ALL)];
        let input = configure_input(Kind::ALL_EVENTS, ring_size, &all);
        let done = self.control(ioctl::CONFIGURE, &input, 0);
        assert_eq!(done.status, 0, "CONFIGURE: {:#x}", done.status);
    }

    /// One read of events: whole records, or how the read was refused.
    pub fn read_events(&mut self) -> Done {
        self.control(ioctl::READ_EVENTS, &[], MAX_RECORD_SIZE)
    }

    /// The driver's account.
    ///
    /// # Panics
    /// When it is refused or short.
    pub fn stats(&mut self) -> Stats {
        let done = self.control(ioctl::GET_STATS, &[], size_of::<Stats>());
        assert_eq!(done.status, 0, "GET_STATS: {:#x}", done.status);
        Stats::read_from_bytes(&done.output).expect("whole statistics")
    }
}
