//! A machine to run the engine on: rings in ordinary memory, a Windows that knows little, and
//! sessions that remember what they read.

use ntwatch_engine::account::{of, sum};
use ntwatch_engine::capture::{self, Capture, ProcessExit, ProcessStart};
use ntwatch_engine::facts::{Facts, Object, System, ThreadFacts};
use ntwatch_engine::feeds::Feeds;
use ntwatch_engine::filter::Filter;
use ntwatch_engine::process_table::ProcessId;
use ntwatch_engine::session::{self, Output, Reader};
use ntwatch_engine::worker::{Pause, Worker, discard};
use ntwatch_protocol::configure::{Clause, Configure, ConfigureHeader, Selector};
use ntwatch_protocol::reader::Records;
use ntwatch_protocol::record::{Kind, PerKind};
use ntwatch_ring::{CaptureRing, SessionRing};
use std::cell::Cell;
use zerocopy::IntoBytes;

pub(crate) const NOW: i64 = 133_000_000_000_000_000;

/// `text` in UTF-16LE.
pub(crate) fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn upcase(unit: u16) -> u16 {
    match unit {
        0x61..=0x7A => unit - 0x20,
        _ => unit,
    }
}

/// A Windows that counts references. It forgets a process whose pid is a multiple of 12 at once.
#[derive(Default)]
pub(crate) struct Windows {
    references: Cell<i64>,
}

impl Windows {
    fn take(&self, pid: u32) -> Object {
        self.references.set(self.references.get() + 1);
        Object(u64::from(pid))
    }

    fn path(&self, Object(pid): Object) -> Option<Vec<u8>> {
        (!pid.is_multiple_of(12)).then(|| wide(&format!(r"\Device\HarddiskVolume3\p{pid}.exe")))
    }
}

impl System for Windows {
    type Buffer = Vec<u8>;

    fn process_facts(&self, process: Object, subsystem_process: bool) -> Facts<Vec<u8>> {
        let is_there = !process.0.is_multiple_of(12);
        Facts {
            image_path: self.path(process),
            user: is_there.then(|| vec![1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0]),
            logon_id: is_there.then_some(0x3E7),
            integrity: is_there.then_some(0x4000),
            elevated: is_there.then_some(true),
            session_id: is_there.then_some(0),
            wow64: is_there.then_some(false),
            protection: is_there.then_some(0),
            subsystem: is_there.then_some(u32::from(subsystem_process)),
        }
    }

    fn image_path(&self, process: Object) -> Option<Vec<u8>> {
        self.path(process)
    }

    fn thread_facts(&self, Object(thread): Object, ask_subsystem: bool) -> ThreadFacts {
        ThreadFacts {
            start_address: Some(thread << 16),
            subsystem: Some(u32::from(ask_subsystem)),
        }
    }

    fn find_image(&self, id: ProcessId) -> Option<Vec<u8>> {
        self.path(Object(u64::from(id.pid)))
    }

    fn release(&self, _: Object) {
        self.references.set(self.references.get() - 1);
    }

    fn upcase(&self, unit: u16) -> u16 {
        upcase(unit)
    }
}

/// What a test's session asks for.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) mask: u32,
    pub(crate) pids: Vec<u32>,
}

impl Wish {
    pub(crate) fn everything() -> Self {
        Self {
            mask: Kind::ALL_EVENTS,
            pids: Vec::new(),
        }
    }

    pub(crate) fn filter(&self) -> Filter {
        let mut clauses = Vec::new();
        for pid in &self.pids {
            let selector = Selector {
                pid: *pid,
                flags: 0,
                key: 0,
            };
            Clause::Process(selector).write(&mut clauses);
        }
        let header = ConfigureHeader {
            size: (size_of::<ConfigureHeader>() + clauses.len()) as u32,
            event_mask: self.mask,
            ring_size: 0,
            clauses: self.pids.len() as u32,
        };
        let input = [header.as_bytes(), &clauses].concat();
        Filter::new(&Configure::parse(&input).unwrap(), upcase).unwrap()
    }
}

/// The buffer of a read.
pub(crate) struct Buffer {
    pub(crate) bytes: Vec<u8>,
    pub(crate) room: usize,
}

impl Output for Buffer {
    fn room(&self) -> usize {
        self.room - self.bytes.len()
    }

    fn push(&mut self, record: &[u8]) {
        self.bytes.extend_from_slice(record);
    }
}

fn words(bytes: usize) -> &'static mut [u64] {
    vec![0; bytes / 8].leak()
}

/// See the module.
pub(crate) struct Machine {
    pub(crate) windows: Windows,
    pub(crate) capture: Capture,
    ring: &'static CaptureRing<'static>,
    called: Cell<bool>,
    worker: Worker,
    pub(crate) feeds: Feeds<'static>,
    pub(crate) readers: Vec<Reader<'static>>,
    /// What the callbacks were shown while somebody listened.
    pub(crate) shown: PerKind,
}

impl Machine {
    pub(crate) fn new(capture_ring: usize) -> Self {
        let ring = CaptureRing::new(words(capture_ring), capture::reserve(capture_ring)).unwrap();
        Self {
            windows: Windows::default(),
            capture: Capture::new(),
            ring: Box::leak(Box::new(ring)),
            called: Cell::new(false),
            worker: Worker::new().unwrap(),
            feeds: Feeds::new(),
            readers: Vec::new(),
            shown: PerKind::default(),
        }
    }

    /// Opens and configures a session; gives back its number.
    pub(crate) fn open(&mut self, ring_size: usize, wish: &Wish) -> usize {
        let ring = SessionRing::new(words(ring_size), session::reserve(ring_size)).unwrap();
        let ring = Box::leak(Box::new(ring));
        let number = self.readers.len();
        let feed = self.feeds.feed(number).unwrap();
        feed.open(wish.filter(), ring.producer().unwrap());
        self.readers.push(Reader::new(ring.consumer().unwrap()));
        self.capture.listen(&self.feeds.listening());
        number
    }

    fn show(&mut self, kind: Kind) -> bool {
        let wanted = self.capture.wants(kind);
        self.shown[kind.index()] += u64::from(wanted);
        wanted
    }

    pub(crate) fn start(&mut self, pid: u32, key: u64, command_line: &str) {
        if !self.show(Kind::ProcessStart) {
            return;
        }
        let command_line = wide(command_line);
        let name = wide(&format!(r"\??\C:\p{pid}.exe"));
        let start = ProcessStart {
            id: ProcessId { pid, key },
            time: NOW,
            create_time: NOW - 1,
            parent_pid: 4,
            parent_key: Some(1),
            creator_pid: 4,
            creator_tid: 8,
            creator_key: None,
            image_exact: true,
            subsystem_process: false,
            creation_status: 0,
            image_name: Some(&name),
            command_line: Some(&command_line),
        };
        let reference = || self.windows.take(pid);
        let kick = || self.called.set(true);
        self.capture
            .process_start(self.ring, &start, reference, kick);
    }

    pub(crate) fn exit(&mut self, pid: u32, key: u64) {
        if !self.show(Kind::ProcessExit) {
            return;
        }
        let exit = ProcessExit {
            id: ProcessId { pid, key },
            time: NOW,
            create_time: NOW - 1,
            exit_status: 0xC000_013A,
        };
        let reference = || self.windows.take(pid);
        let kick = || self.called.set(true);
        self.capture.process_exit(self.ring, &exit, reference, kick);
    }

    /// Runs the worker for one batch of `records`, if it was called.
    pub(crate) fn work(&mut self, records: usize) {
        if !self.called.replace(false) {
            return;
        }
        let mut left = records;
        let pause = self.worker.run(
            self.ring.consumer().unwrap(),
            &self.capture,
            &self.windows,
            || NOW,
            |news| {
                let _ = self.feeds.tell(news, upcase);
            },
            || {
                left -= 1;
                left != 0
            },
        );
        if pause == Pause::More {
            self.called.set(true);
        }
    }

    pub(crate) fn work_to_the_end(&mut self) {
        while self.called.get() {
            self.work(100);
        }
    }

    /// What a read of `room` bytes brings, and the announcements it makes room for.
    pub(crate) fn read(&mut self, session: usize, room: usize) -> Vec<u8> {
        let mut buffer = Buffer {
            bytes: Vec::new(),
            room,
        };
        self.readers[session].read(&mut buffer);
        let feed = self.feeds.feed(session).unwrap();
        let _ = feed.announce();
        buffer.bytes
    }

    /// What is left at unload.
    pub(crate) fn unload(self) -> i64 {
        if self.called.replace(false) || self.ring.call() {
            discard(self.ring.consumer().unwrap(), &self.windows);
        }
        self.windows.references.get()
    }

    /// The account of DESIGN, kind by kind.
    pub(crate) fn assert_balanced(&mut self) {
        let account = self.capture.account();
        assert_eq!(
            self.shown,
            sum(&account.captured(), &account.lost()),
            "offered = captured + lost in capture"
        );
        for (number, reader) in self.readers.iter().enumerate() {
            let feed = self.feeds.feed(number).unwrap();
            let counts = feed.account();
            let queued = reader.queued(counts);
            for kind in Kind::EVENTS {
                assert_eq!(
                    of(&counts.captured, kind),
                    of(reader.delivered(), kind)
                        + of(&counts.filtered, kind)
                        + of(&counts.lost, kind)
                        + of(&queued, kind),
                    "captured = delivered + filtered + lost + queued, {}",
                    kind.name()
                );
            }
        }
    }
}

/// The records of a read, which must all be well formed.
pub(crate) fn records(bytes: &[u8]) -> Vec<ntwatch_protocol::reader::Record<'_>> {
    Records::new(bytes).map(Result::unwrap).collect()
}
