//! A machine to run the engine on: rings in ordinary memory, a Windows that knows little, and
//! sessions that remember what they read.

use crate::client::{Client, Transport, connect, words};
use crate::windows::Windows;
use crate::wish::Wish;
use crate::{NOW, upcase, wide};
use ntwatch_engine::account::sum;
use ntwatch_engine::capture::{
    self, Capture, HandleOpen, ImageLoad, ProcessExit, ProcessStart, ThreadExit, ThreadStart,
};
use ntwatch_engine::feeds::{Feeds, SessionSet};
use ntwatch_engine::process_table::ProcessId;
use ntwatch_engine::session::FeedAccount;
use ntwatch_engine::worker::{Pause, Worker, discard};
use ntwatch_protocol::handle::flags;
use ntwatch_protocol::record::{Kind, PerKind};
use ntwatch_ring::CaptureRing;
use std::cell::Cell;

/// The process that starts others.
pub(crate) const SYSTEM: ProcessId = ProcessId { pid: 4, key: 1 };

/// What a client that waits for much waits for, in bytes.
pub(crate) const WAKE_BYTES: u64 = 1024;

/// See the module.
pub(crate) struct Machine {
    pub(crate) windows: Windows,
    pub(crate) capture: Capture,
    ring: &'static CaptureRing<'static>,
    called: Cell<bool>,
    worker: Worker,
    pub(crate) feeds: Feeds<'static>,
    pub(crate) clients: Vec<Client>,
    /// How often each client was to be woken.
    pub(crate) wakes: Vec<u32>,
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
            clients: Vec::new(),
            wakes: Vec::new(),
            shown: PerKind::default(),
        }
    }

    /// Opens and configures a session; gives back its number.
    pub(crate) fn listen(&mut self, ring_size: usize, wish: &Wish) -> usize {
        self.listen_by(Transport::Read, ring_size, wish)
    }

    pub(crate) fn listen_by(
        &mut self,
        transport: Transport,
        ring_size: usize,
        wish: &Wish,
    ) -> usize {
        let (queue, client) = connect(transport, ring_size);
        let number = self.clients.len();
        self.feeds.feed(number).unwrap().open(wish.filter(), queue);
        self.clients.push(client);
        self.wakes.push(0);
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
        let mut concerned = SessionSet::default();
        let pause = self.worker.run(
            self.ring.consumer().unwrap(),
            &self.capture,
            &self.windows,
            || NOW,
            |news| concerned.merge(self.feeds.tell(news, upcase)),
            || {
                left -= 1;
                left != 0
            },
        );
        for session in concerned.iter() {
            let feed = self.feeds.feed(session).unwrap();
            let is_mapped = matches!(self.clients[session], Client::Maps(_));
            self.wakes[session] += u32::from(is_mapped && feed.must_wake(WAKE_BYTES));
        }
        if pause == Pause::More {
            self.called.set(true);
        }
    }

    pub(crate) fn work_to_the_end(&mut self) {
        while self.called.get() {
            self.work(100);
        }
    }

    /// What a client reads into `room` bytes, and the announcements it makes room for.
    pub(crate) fn read(&mut self, session: usize, room: usize) -> Vec<u8> {
        let (bytes, made_room) = self.clients[session].read(room);
        if made_room {
            self.feeds.feed(session).unwrap().announce();
        }
        bytes
    }

    pub(crate) fn account(&mut self, session: usize) -> &FeedAccount {
        self.feeds.feed(session).unwrap().account()
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
        for session in 0..self.clients.len() {
            let account = self.account(session);
            let kept = sum(&account.delivered, &account.queued);
            let left_out = sum(&account.filtered, &account.lost);
            assert_eq!(
                account.captured,
                sum(&kept, &left_out),
                "captured = delivered + filtered + lost + queued"
            );
        }
    }
}
