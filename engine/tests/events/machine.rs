//! A machine to run the engine on: rings in ordinary memory, a Windows that knows little, and
//! sessions that remember what they read.

use crate::windows::Windows;
use crate::wish::Wish;
use crate::{NOW, upcase, wide};
use ntwatch_engine::account::{of, sum};
use ntwatch_engine::capture::{
    self, Capture, HandleOpen, ImageLoad, ProcessExit, ProcessStart, ThreadExit, ThreadStart,
};
use ntwatch_engine::feeds::Feeds;
use ntwatch_engine::process_table::ProcessId;
use ntwatch_engine::session::{self, Output, Reader};
use ntwatch_engine::worker::{Pause, Worker, discard};
use ntwatch_protocol::handle::flags;
use ntwatch_protocol::record::{Kind, PerKind};
use ntwatch_ring::{CaptureRing, SessionRing};
use std::cell::Cell;

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

/// The process that starts others.
pub(crate) const SYSTEM: ProcessId = ProcessId { pid: 4, key: 1 };

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
    pub(crate) fn listen(&mut self, ring_size: usize, wish: &Wish) -> usize {
        let ring = SessionRing::new(words(ring_size), session::reserve(ring_size)).unwrap();
        let ring = Box::leak(Box::new(ring));
        let number = self.readers.len();
        let feed = self.feeds.feed(number).unwrap();
        feed.open(wish.filter(), ring.producer().unwrap());
        self.readers.push(Reader::new(ring.consumer().unwrap()));
        self.capture.listen(&self.feeds.listening(), NOW - 2);
        number
    }

    /// Configures a session once more.
    pub(crate) fn change(&mut self, session: usize, wish: &Wish) {
        let feed = self.feeds.feed(session).unwrap();
        feed.set_filter(wish.filter());
        self.capture.listen(&self.feeds.listening(), NOW - 2);
    }

    /// What a callback does first: nothing more unless somebody listens.
    fn show(&mut self, kind: Kind, wanted: bool) -> bool {
        self.shown[kind.index()] += u64::from(wanted);
        wanted
    }

    fn kick(&self) -> impl Fn() {
        || self.called.set(true)
    }

    /// A process that the system, which is pid 4, creates.
    pub(crate) fn start(&mut self, pid: u32, key: u64, command_line: &str) {
        self.child(pid, key, SYSTEM, command_line);
    }

    pub(crate) fn child(&mut self, pid: u32, key: u64, parent: ProcessId, command_line: &str) {
        let kind = Kind::ProcessStart;
        if !self.show(kind, self.capture.wants(kind)) {
            return;
        }
        let command_line = wide(command_line);
        let name = wide(&format!(r"\??\C:\p{pid}.exe"));
        let start = ProcessStart {
            id: ProcessId { pid, key },
            time: NOW,
            create_time: NOW - 1,
            parent_pid: parent.pid,
            parent_key: Some(parent.key),
            creator_pid: parent.pid,
            creator_tid: 8,
            creator_key: Some(parent.key),
            image_exact: true,
            subsystem_process: false,
            creation_status: 0,
            image_name: Some(&name),
            command_line: Some(&command_line),
        };
        self.offer_start(&start);
    }

    /// A process start as a test has it.
    pub(crate) fn offer_start(&self, start: &ProcessStart<'_>) {
        let reference = || self.windows.take(start.id.pid);
        self.capture
            .process_start(self.ring, start, reference, self.kick());
    }

    pub(crate) fn exit(&mut self, pid: u32, key: u64) {
        let kind = Kind::ProcessExit;
        if !self.show(kind, self.capture.wants(kind)) {
            return;
        }
        let exit = ProcessExit {
            id: ProcessId { pid, key },
            time: NOW,
            create_time: NOW - 1,
            exit_status: 0xC000_013A,
        };
        let reference = || self.windows.take(pid);
        self.capture
            .process_exit(self.ring, &exit, reference, self.kick());
    }

    /// Thread `tid` of a process, which another may start. Windows gives no reference to a thread
    /// whose id is a multiple of 12.
    pub(crate) fn thread(&mut self, process: ProcessId, tid: u32, creator: ProcessId) {
        let kind = Kind::ThreadStart;
        if !self.show(kind, self.capture.wants(kind)) {
            return;
        }
        let start = ThreadStart {
            pid: process.pid,
            key: Some(process.key),
            tid,
            time: NOW,
            creator_pid: creator.pid,
            creator_tid: 8,
            creator_key: Some(creator.key),
        };
        let reference = || (!tid.is_multiple_of(12)).then(|| self.windows.take(tid));
        self.capture
            .thread_start(self.ring, &start, reference, self.kick());
    }

    pub(crate) fn thread_exit(&mut self, process: ProcessId, tid: u32) {
        let kind = Kind::ThreadExit;
        if !self.show(kind, self.capture.wants(kind)) {
            return;
        }
        let exit = ThreadExit {
            pid: process.pid,
            key: process.key,
            tid,
            time: NOW,
            exit_status: 7,
        };
        self.capture.thread_exit(self.ring, &exit, self.kick());
    }

    pub(crate) fn image(&mut self, load: &ImageLoad<'_>) {
        let kind = Kind::ImageLoad;
        if self.show(kind, self.capture.wants(kind)) {
            self.capture.image_load(self.ring, load, self.kick());
        }
    }

    pub(crate) fn open_handle(&mut self, open: &HandleOpen) {
        let thread = open.flags & flags::THREAD != 0;
        let wanted = self.capture.wants_handle(thread, open.original);
        if self.show(Kind::HandleOpen, wanted) {
            self.capture.handle_open(self.ring, open, self.kick());
        }
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
