//! The callbacks' side: from what a notify routine was told to a record in the capture ring.
//!
//! Everything here may run at up to APC_LEVEL in the thread of whoever is being watched: it does
//! not allocate, wait or call the system. The caller holds a critical region around each offer,
//! so that a suspended thread cannot hold the ring.

use crate::account::CaptureAccount;
use crate::facts::Object;
use core::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use ntwatch_protocol::configure::AccessMasks;
use ntwatch_protocol::record::{Kind, PerKind};
use ntwatch_ring::{CaptureRing, Priority};

pub use crate::form::{HandleOpen, ImageLoad, ProcessExit, ProcessStart, ThreadExit, ThreadStart};

/// Bytes of the capture ring in the driver.
pub const RING_SIZE: usize = 16 << 20;
/// Bytes of a capture ring that only process starts and exits may use.
#[must_use]
pub const fn reserve(ring_size: usize) -> usize {
    ring_size / 8
}

/// What any session wants, as far as callbacks and worker need to know beforehand. The default
/// is what nobody listening comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listening {
    /// The kinds, a mask of [`Kind::bit`].
    pub mask: u32,
    /// The rights to processes, as [`AccessMasks`] has them; 0 if nobody wants handles.
    pub process_access: u32,
    /// The rights to threads.
    pub thread_access: u32,
    /// Does a filter ask for the images of processes?
    pub images: bool,
}

/// Who listens, and what became of the events. Lives as long as the driver.
#[derive(Debug)]
pub struct Capture {
    // See `Listening`.
    mask: AtomicU32,
    process_access: AtomicU32,
    thread_access: AtomicU32,
    images: AtomicBool,
    /// See `seen_since`.
    since: AtomicI64,
    account: CaptureAccount,
}

impl Capture {
    /// Nobody listens yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            mask: AtomicU32::new(0),
            process_access: AtomicU32::new(0),
            thread_access: AtomicU32::new(0),
            images: AtomicBool::new(false),
            since: AtomicI64::new(0),
            account: CaptureAccount::new(),
        }
    }

    /// Is anybody listening to `kind`? If not, the event is not even offered.
    #[inline]
    pub fn wants(&self, kind: Kind) -> bool {
        // Relaxed: an event at the very moment of a CONFIGURE may be told or not.
        self.mask.load(Ordering::Relaxed) & kind.bit() != 0
    }

    /// Is anybody listening to opens that ask for `original`, of a thread or else of a process?
    #[inline]
    pub fn wants_handle(&self, thread: bool, original: u32) -> bool {
        let mask = match thread {
            true => &self.thread_access,
            false => &self.process_access,
        };
        // Relaxed, as in `wants`.
        AccessMasks::wants(mask.load(Ordering::Relaxed), original)
    }

    /// Does a filter ask for the images of processes?
    pub fn wants_images(&self) -> bool {
        self.images.load(Ordering::Relaxed)
    }

    /// Since when every process start is offered: 100 ns units since 1601, UTC.
    pub(crate) fn seen_since(&self) -> i64 {
        self.since.load(Ordering::Relaxed)
    }

    /// From here on, which is `now` (100 ns units since 1601, UTC), these are offered.
    pub fn listen(&self, listening: &Listening, now: i64) {
        if !self.wants(Kind::ProcessStart) {
            self.since.store(now, Ordering::Relaxed);
        }
        self.images.store(listening.images, Ordering::Relaxed);
        self.process_access
            .store(listening.process_access, Ordering::Relaxed);
        self.thread_access
            .store(listening.thread_access, Ordering::Relaxed);
        self.mask.store(listening.mask, Ordering::Relaxed);
    }

    /// What became of the events so far.
    pub const fn account(&self) -> &CaptureAccount {
        &self.account
    }

    /// Offers a process start. `reference` takes the reference that the record holds, and is
    /// called only if there is room for it. `kick` runs the worker, and is called if it may be
    /// asleep.
    #[inline]
    pub fn process_start(
        &self,
        ring: &CaptureRing<'_>,
        start: &ProcessStart<'_>,
        reference: impl FnOnce() -> Object,
        kick: impl Fn(),
    ) {
        let threads_heard = self.wants(Kind::ThreadStart);
        let (kind, size) = (Kind::ProcessStart, start.size());
        self.offer(ring, kind, size, kick, |losses, out| {
            start.write(losses, threads_heard, reference(), out);
        });
    }

    /// Offers a process exit; see [`Self::process_start`].
    #[inline]
    pub fn process_exit(
        &self,
        ring: &CaptureRing<'_>,
        exit: &ProcessExit,
        reference: impl FnOnce() -> Object,
        kick: impl Fn(),
    ) {
        let (kind, size) = (Kind::ProcessExit, ProcessExit::SIZE);
        self.offer(ring, kind, size, kick, |losses, out| {
            exit.write(losses, reference(), out);
        });
    }

    /// Offers a thread start; see [`Self::process_start`]. `reference` takes one to the thread,
    /// or does not get it.
    #[inline]
    pub fn thread_start(
        &self,
        ring: &CaptureRing<'_>,
        start: &ThreadStart,
        reference: impl FnOnce() -> Option<Object>,
        kick: impl Fn(),
    ) {
        let (kind, size) = (Kind::ThreadStart, ThreadStart::SIZE);
        self.offer(ring, kind, size, kick, |losses, out| {
            start.write(losses, reference(), out);
        });
    }

    /// Offers a thread exit. Its record holds no reference, nor do those of images and handles.
    #[inline]
    pub fn thread_exit(&self, ring: &CaptureRing<'_>, exit: &ThreadExit, kick: impl Fn()) {
        let (kind, size) = (Kind::ThreadExit, ThreadExit::SIZE);
        self.offer(ring, kind, size, kick, |losses, out| {
            exit.write(losses, out);
        });
    }

    /// Offers an image load.
    #[inline]
    pub fn image_load(&self, ring: &CaptureRing<'_>, load: &ImageLoad<'_>, kick: impl Fn()) {
        let (kind, size) = (Kind::ImageLoad, load.size());
        self.offer(ring, kind, size, kick, |losses, out| {
            // It has the size that was reserved. Were it not so, the worker would find no record.
            let _ = load.write(losses, out);
        });
    }

    /// Offers an open of a handle.
    #[inline]
    pub fn handle_open(&self, ring: &CaptureRing<'_>, open: &HandleOpen, kick: impl Fn()) {
        let (kind, size) = (Kind::HandleOpen, HandleOpen::SIZE);
        self.offer(ring, kind, size, kick, |losses, out| {
            open.write(losses, out);
        });
    }

    #[inline]
    fn offer(
        &self,
        ring: &CaptureRing<'_>,
        kind: Kind,
        size: usize,
        kick: impl Fn(),
        write: impl FnOnce(u64, &mut [u8]),
    ) {
        let priority = match kind.has_reserve() {
            true => Priority::High,
            false => Priority::Normal,
        };
        match ring.reserve(kind as u32, size, priority, &kick) {
            Ok(mut record) => {
                // After the reserve: a loss that this count has came before this record.
                write(self.account.losses(), &mut record);
                self.account.count_captured(kind);
                record.commit();
            }
            Err(ntwatch_ring::Full) => {
                self.account.count_lost(kind);
                // The worker may have emptied the ring and fallen asleep before the count; it is
                // to announce the loss all the same.
                if ring.call() {
                    kick();
                }
            }
        }
    }
}

impl Default for Capture {
    fn default() -> Self {
        Self::new()
    }
}

/// What the callbacks lost, for who announces it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Announced {
    losses: u64,
    lost: PerKind,
}

impl Announced {
    /// What was lost since the last time, if `losses` says that there is something.
    pub(crate) fn news(&mut self, account: &CaptureAccount, losses: u64) -> Option<PerKind> {
        if losses <= self.losses {
            return None;
        }
        let lost = account.lost();
        let news = crate::account::difference(&lost, &self.lost);
        // Taken from the kinds, which may be ahead of the total that was asked about.
        self.losses = lost.iter().fold(0, |sum, count| sum.wrapping_add(*count));
        self.lost = lost;
        Some(news)
    }
}
