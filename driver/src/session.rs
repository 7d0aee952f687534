//! What belongs to one handle of a client's.
//!
//! A read always goes to the queue of pended reads first; then [`Session::serve`] looks whether
//! there is a reason to complete it at once. So it does not matter whether an event, the end of
//! the handle or SHUTDOWN comes before the read or after it. A client that reads in place sleeps
//! instead, and is woken there.

use crate::facts::upcase;
use crate::mapped::Mapped;
use crate::nt::push_lock::PushLock;
use crate::pooled::Pooled;
use crate::state::STATE;
use crate::wdf::file::File;
use crate::wdf::request::Request;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};
use ntwatch_engine::OutOfMemory;
use ntwatch_engine::account::sum;
use ntwatch_engine::filter::Filter;
use ntwatch_engine::session::Queue;
use ntwatch_protocol::configure::Configure;
use ntwatch_protocol::ioctl::{MAX_PENDED_READS, STATUS_SHUTDOWN, STATUS_TOO_MANY_SESSIONS, Stats};
use ntwatch_protocol::mapped::{MapRing, MappedRing};
use ntwatch_protocol::record::MAX_RECORD_SIZE;
use wdk_sys::{
    NTSTATUS, STATUS_CANCELLED, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_DEVICE_STATE,
    STATUS_SUCCESS, WDFFILEOBJECT__,
};

/// A place for a session. All functions: IRQL = PASSIVE_LEVEL.
pub(crate) struct Session {
    /// Its place among all sessions.
    pub(crate) number: usize,
    /// Null while the place is free.
    file: AtomicPtr<WDFFILEOBJECT__>,
    /// The handle is closed; its last requests are on their way out.
    is_closed: AtomicBool,
    pended_reads: AtomicU32,
    /// The client reads in place. Beside the lock, for who only counts such sessions.
    is_mapped: AtomicBool,
    /// From MAP_RING or the first CONFIGURE on.
    events: PushLock<Option<Events>>,
}

/// How a session's events come to its client.
enum Events {
    /// By reads.
    Pooled(Pooled),
    /// In place.
    Mapped(Mapped),
}

/// A read that can be completed, and how.
struct Completion {
    request: Request,
    status: NTSTATUS,
    bytes: usize,
}

/// Finds a place for `file`.
pub(crate) fn open(file: File) -> Result<(), NTSTATUS> {
    if STATE.is_shut_down() {
        return Err(STATUS_SHUTDOWN as NTSTATUS);
    }
    let claim = |session: &&Session| {
        session
            .file
            .compare_exchange(
                ptr::null_mut(),
                file.as_ptr(),
                Ordering::AcqRel,
                Ordering::Relaxed,
            )
            .is_ok()
    };
    match STATE.sessions.iter().find(claim) {
        Some(_) => Ok(()),
        None => Err(STATUS_TOO_MANY_SESSIONS as NTSTATUS),
    }
}

/// The session of `file`.
pub(crate) fn of_file(file: File) -> Option<&'static Session> {
    STATE
        .sessions
        .iter()
        .find(|session| session.file() == Some(file))
}

impl Session {
    pub(crate) const fn new() -> Self {
        Self {
            number: 0,
            file: AtomicPtr::new(ptr::null_mut()),
            is_closed: AtomicBool::new(false),
            pended_reads: AtomicU32::new(0),
            is_mapped: AtomicBool::new(false),
            events: PushLock::new(None),
        }
    }

    fn file(&self) -> Option<File> {
        File::new(self.file.load(Ordering::Acquire))
    }

    /// Is the handle closed?
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::SeqCst)
    }

    /// Does what `configure` asks for, or nothing.
    pub(crate) fn configure(&self, configure: &Configure<'_>) -> Result<(), NTSTATUS> {
        let filter =
            Filter::new(configure, upcase).map_err(|OutOfMemory| STATUS_INSUFFICIENT_RESOURCES)?;
        let mut events = self.events.lock();
        if let Some(status) = self.ended() {
            return Err(status);
        }
        let queue = match &mut *events {
            None => {
                let (pooled, queue) = Pooled::new(configure.ring_size)?;
                *events = Some(Events::Pooled(pooled));
                Some(queue)
            }
            Some(events) => {
                let wanted = configure.ring_size as usize;
                if wanted != 0 && wanted != events.ring_size() {
                    return Err(STATUS_INVALID_DEVICE_STATE);
                }
                events.take_queue()
            }
        };
        let mut feeds = STATE.feeds.lock();
        if let Some(feed) = feeds.feed(self.number) {
            match queue {
                Some(queue) => feed.open(filter, queue),
                None => feed.set_filter(filter),
            }
        }
        STATE.listen(&feeds);
        Ok(())
    }

    /// Makes the ring that `wanted`, which is valid, asks for, one that the client reads in place.
    /// In a thread of the process that asks.
    pub(crate) fn map_ring(&self, wanted: &MapRing) -> Result<MappedRing, NTSTATUS> {
        let mut events = self.events.lock();
        if let Some(status) = self.ended() {
            return Err(status);
        }
        if events.is_some() {
            return Err(STATUS_INVALID_DEVICE_STATE);
        }
        let (mapped, answer) = Mapped::new(wanted)?;
        *events = Some(Events::Mapped(mapped));
        self.is_mapped.store(true, Ordering::Relaxed);
        Ok(answer)
    }

    /// What requests are answered once nothing more is to come. Whoever sees nothing here with the
    /// lock of [`Self::events`] held is seen by whoever ends the session: they [serve](Self::serve)
    /// it after that.
    fn ended(&self) -> Option<NTSTATUS> {
        if self.is_closed() {
            Some(STATUS_CANCELLED)
        } else if STATE.is_shut_down() {
            Some(STATUS_SHUTDOWN as NTSTATUS)
        } else {
            None
        }
    }

    /// Pends `request`, and completes it if there is a reason to.
    pub(crate) fn read(&self, request: Request) {
        if let Err(status) = self.admit(&request) {
            return request.complete(status);
        }
        let Some(objects) = STATE.objects.get() else {
            return request.complete(STATUS_INVALID_DEVICE_STATE);
        };
        if let Err((request, status)) = request.forward_to_io_queue(objects.pended_reads) {
            self.forget_read();
            return request.complete(status);
        }
        self.serve();
    }

    /// May `request` be pended? If so, it is counted.
    fn admit(&self, request: &Request) -> Result<(), NTSTATUS> {
        if STATE.is_shut_down() {
            return Err(STATUS_SHUTDOWN as NTSTATUS);
        }
        let Some(Events::Pooled(_)) = *self.events.lock() else {
            return Err(STATUS_INVALID_DEVICE_STATE);
        };
        // Makes the system addresses as well, which can fail now but not later.
        let _ = request.output_buffer(MAX_RECORD_SIZE)?;
        let one_more = |pended: u32| (pended < MAX_PENDED_READS).then_some(pended.wrapping_add(1));
        self.pended_reads
            .try_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .map_err(|_| STATUS_INSUFFICIENT_RESOURCES)?;
        Ok(())
    }

    /// A pended read is about to be completed. Before that, so that a client that answers a
    /// completion with the next read is never one too many.
    fn forget_read(&self) {
        self.pended_reads.fetch_sub(1, Ordering::Relaxed);
    }

    /// Completes a read that was canceled while it was pended.
    pub(crate) fn canceled(&self, request: Request) {
        self.forget_read();
        request.complete(STATUS_CANCELLED);
    }

    /// Completes pended reads as long as there is a reason to, or wakes a client that reads in
    /// place if there is one.
    pub(crate) fn serve(&self) {
        if let Some(Events::Mapped(mapped)) = &mut *self.events.lock() {
            return self.wake(mapped);
        }
        while let Some(completion) = self.next_completion() {
            let Completion {
                request,
                status,
                bytes,
            } = completion;
            request.complete_with_information(status, bytes);
        }
    }

    fn next_completion(&self) -> Option<Completion> {
        let mut events = self.events.lock();
        let ended = self.ended();
        let Some(Events::Pooled(Pooled { reader, .. })) = &mut *events else {
            return None;
        };
        if ended.is_none() && reader.is_empty() {
            return None;
        }
        let pended = STATE.objects.get()?.pended_reads;
        // SAFETY: `close` takes this lock to free the place, so the file object is not closed.
        let request = unsafe { pended.retrieve_request_by_file_object(self.file()?) }?;
        self.forget_read();
        let mut bytes = 0;
        let status = match (ended, request.output_buffer(MAX_RECORD_SIZE)) {
            (Some(status), _) | (None, Err(status)) => status,
            (None, Ok(mut output)) => {
                reader.read(&mut output);
                bytes = output.written();
                STATUS_SUCCESS
            }
        };
        if bytes != 0 {
            self.announce();
        }
        Some(Completion {
            request,
            status,
            bytes,
        })
    }

    /// There is room now for what could not be announced before.
    fn announce(&self) {
        if let Some(feed) = STATE.feeds.lock().feed(self.number) {
            feed.announce();
        }
    }

    /// Wakes the client if it sleeps and there is enough for it, or nothing more will come.
    fn wake(&self, mapped: &mut Mapped) {
        let has_ended = self.ended().is_some();
        let must_wake = match STATE.feeds.lock().feed(self.number) {
            Some(feed) if has_ended => {
                mapped.end();
                feed.end();
                true
            }
            Some(feed) => feed.must_wake(mapped.wake_bytes()),
            None => false,
        };
        if must_wake {
            mapped.wake();
        }
    }

    /// Says in `stats`, which is zero, what this session and the driver as a whole have counted.
    pub(crate) fn stats(&self, stats: &mut Stats) {
        stats.size = size_of::<Stats>() as u32;
        // The session first: what it has was captured before.
        self.session_stats(stats);
        let account = STATE.capture.account();
        stats.captured = account.captured();
        stats.capture_lost = account.lost();
        stats.offered = sum(&stats.captured, &stats.capture_lost);
        stats.next_seq = STATE.feeds.lock().next_seq();
        let is_open = |session: &&Session| session.file().is_some();
        stats.sessions = STATE.sessions.iter().filter(is_open).count() as u32;
        let is_mapped = |session: &&Session| session.is_mapped.load(Ordering::Relaxed);
        stats.mapped_sessions = STATE.sessions.iter().filter(is_mapped).count() as u32;
        stats.capture_ring_size = STATE.ring.get().map_or(0, |ring| ring.capacity() as u32);
    }

    fn session_stats(&self, stats: &mut Stats) {
        stats.pended_reads = self.pended_reads.load(Ordering::Relaxed);
        let events = self.events.lock();
        let mut feeds = STATE.feeds.lock();
        let (Some(events), Some(feed)) = (&*events, feeds.feed(self.number)) else {
            return;
        };
        if feed.filter().is_none() {
            // Not configured yet: the account is that of whoever had the place before.
            return;
        }
        let account = feed.account();
        stats.session_ring_size = events.ring_size() as u32;
        stats.session_captured = account.captured;
        stats.filtered = account.filtered;
        stats.session_lost = account.lost;
        stats.delivered = account.delivered;
        stats.queued = account.queued;
    }

    /// The handle is closed: its rules end, and requests that come late are canceled. The framework
    /// cancels those that are pended.
    pub(crate) fn clean_up(&self) {
        // SeqCst, as for `State::is_shut_down`.
        self.is_closed.store(true, Ordering::SeqCst);
        // Whoever adds a rule looks at `is_closed` with this lock held.
        STATE.rules.lock().end_session(self.number);
        self.serve();
    }

    /// The last request is completed: the place is free again.
    pub(crate) fn close(&self) {
        let mut events = self.events.lock();
        let mut feeds = STATE.feeds.lock();
        if let Some(feed) = feeds.feed(self.number) {
            // Before the ring that it feeds is gone.
            feed.close();
        }
        STATE.listen(&feeds);
        drop(feeds);
        *events = None;
        self.is_closed.store(false, Ordering::SeqCst);
        self.pended_reads.store(0, Ordering::Relaxed);
        self.is_mapped.store(false, Ordering::Relaxed);
        // Release: the place is as new for who claims it.
        self.file.store(ptr::null_mut(), Ordering::Release);
    }
}

impl Events {
    fn ring_size(&self) -> usize {
        match self {
            Self::Pooled(pooled) => pooled.ring_size(),
            Self::Mapped(mapped) => mapped.ring_size(),
        }
    }

    /// The worker's end, if the worker has not got it yet.
    const fn take_queue(&mut self) -> Option<Queue<'static>> {
        match self {
            Self::Pooled(_) => None,
            Self::Mapped(mapped) => mapped.take_queue(),
        }
    }
}
