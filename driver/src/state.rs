//! What the callbacks, the worker and the requests share.
//!
//! Locks are taken in this order: the worker's or a session's, then the feeds' or the rules'. No
//! request is completed while one is held.

use crate::nt::once::Once;
use crate::nt::push_lock::PushLock;
use crate::nt::thread::Thread;
use crate::nt::time::system_time;
use crate::session::Session;
use crate::wdf::device::Device;
use crate::wdf::queue::Queue;
use crate::wdf::work_item::WorkItem;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use ntwatch_engine::capture::{Capture, Listening};
use ntwatch_engine::feeds::Feeds;
use ntwatch_engine::in_flight::InFlight;
use ntwatch_engine::protect::{Denials, Rules};
use ntwatch_engine::worker::Worker;
use ntwatch_protocol::ioctl::MAX_SESSIONS;
use ntwatch_ring::CaptureRing;
use wdk_sys::_KTHREAD;

/// Filled in by `DriverEntry` before anything can call us.
pub(crate) static STATE: State = State {
    capture: Capture::new(),
    ring: Once::new(),
    opens: InFlight::new(),
    denials: &DENIALS,
    rules: PushLock::new(Rules::new(&DENIALS)),
    worker: PushLock::new(None),
    worker_thread: AtomicPtr::new(ptr::null_mut()),
    feeds: PushLock::new(Feeds::new()),
    sessions: numbered(),
    objects: Once::new(),
    load_id: Once::new(),
    shut_down: AtomicBool::new(false),
    stopping: AtomicBool::new(false),
};

static DENIALS: Denials = Denials::new();

/// The places for sessions.
const fn numbered() -> [Session; MAX_SESSIONS] {
    let mut sessions = [const { Session::new() }; MAX_SESSIONS];
    let mut number = 0;
    while number < MAX_SESSIONS {
        sessions[number].number = number;
        number += 1;
    }
    sessions
}

/// See [`STATE`].
pub(crate) struct State {
    /// Who listens, and the account of the callbacks.
    pub(crate) capture: Capture,
    /// The capture ring.
    pub(crate) ring: Once<&'static CaptureRing<'static>>,
    /// Opens between the callbacks before and after them.
    pub(crate) opens: InFlight,
    /// What the rules come to, for the callbacks.
    pub(crate) denials: &'static Denials,
    /// The rules about processes, of all sessions.
    pub(crate) rules: PushLock<Rules<'static>>,
    /// What the worker keeps from run to run.
    pub(crate) worker: PushLock<Option<Worker>>,
    /// The thread that runs it now.
    worker_thread: AtomicPtr<_KTHREAD>,
    /// The worker's ends of the sessions, by session number.
    pub(crate) feeds: PushLock<Feeds<'static>>,
    /// The handles' ends, by the same number.
    pub(crate) sessions: [Session; MAX_SESSIONS],
    /// What the framework made for us.
    pub(crate) objects: Once<Objects>,
    /// The time of `DriverEntry`: tells one load from the next.
    pub(crate) load_id: Once<u64>,
    shut_down: AtomicBool,
    stopping: AtomicBool,
}

/// Objects of the framework's.
pub(crate) struct Objects {
    /// The control device.
    pub(crate) device: Device,
    /// Reads wait here for events.
    pub(crate) pended_reads: Queue,
    /// Runs the worker.
    pub(crate) work_item: WorkItem,
}

impl State {
    /// Was SHUTDOWN asked for? Then sessions end, and no new ones begin.
    pub(crate) fn is_shut_down(&self) -> bool {
        // SeqCst, with `shut_down`: a read looks here after it is pended, and SHUTDOWN looks for
        // pended reads after it wrote here. One of them sees the other.
        self.shut_down.load(Ordering::SeqCst)
    }

    /// Ends all sessions: they are not told anything more. Rules end as handles close.
    pub(crate) fn shut_down(&self) {
        self.shut_down.store(true, Ordering::SeqCst);
        self.listen(&self.feeds.lock());
    }

    /// Lets the callbacks know who listens, after `feeds` changed.
    pub(crate) fn listen(&self, feeds: &Feeds<'_>) {
        let listening = if self.is_shut_down() {
            Listening::default()
        } else {
            feeds.listening()
        };
        self.capture.listen(&listening, system_time());
    }

    /// Runs `work` as the worker's. One thread at a time.
    pub(crate) fn as_worker<R>(&self, work: impl FnOnce() -> R) -> R {
        let me = Thread::current().map_or(ptr::null_mut(), Thread::as_ptr);
        // Relaxed: only what this thread wrote itself can make it take itself for the worker.
        self.worker_thread.store(me, Ordering::Relaxed);
        let result = work();
        self.worker_thread.store(ptr::null_mut(), Ordering::Relaxed);
        result
    }

    /// Does the worker run in this thread, which is the one that asks?
    pub(crate) fn is_worker(&self, me: Thread<'_>) -> bool {
        self.worker_thread.load(Ordering::Relaxed) == me.as_ptr()
    }

    /// Is the driver being unloaded? Then the worker leaves what is left to the clean-up.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// The worker is to stop.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Runs the worker. IRQL ≤ DISPATCH_LEVEL.
    pub(crate) fn kick(&self) {
        if let Some(objects) = self.objects.get() {
            objects.work_item.enqueue();
        }
    }
}
