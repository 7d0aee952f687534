//! The callbacks' side: from what a notify routine was told to a record in the capture ring.
//!
//! Everything here may run at up to APC_LEVEL in the thread of whoever is being watched: it does
//! not allocate, wait or call the system. The caller holds a critical region around each offer,
//! so that a suspended thread cannot hold the ring.

use crate::account::CaptureAccount;
use crate::facts::Object;
use core::sync::atomic::{AtomicU32, Ordering};
use ntwatch_protocol::record::{Kind, PerKind};
use ntwatch_ring::{CaptureRing, Priority};

pub use crate::form::{ProcessExit, ProcessStart};

/// Bytes of the capture ring in the driver.
pub const RING_SIZE: usize = 16 << 20;
/// Bytes of a capture ring that only process starts and exits may use.
#[must_use]
pub const fn reserve(ring_size: usize) -> usize {
    ring_size / 8
}

/// Who listens, and what became of the events. Lives as long as the driver.
#[derive(Debug)]
pub struct Capture {
    /// The kinds that some session wants, a mask of [`Kind::bit`].
    listening: AtomicU32,
    account: CaptureAccount,
}

impl Capture {
    /// Nobody listens yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            listening: AtomicU32::new(0),
            account: CaptureAccount::new(),
        }
    }

    /// Is anybody listening to `kind`? If not, the event is not even offered.
    #[inline]
    pub fn wants(&self, kind: Kind) -> bool {
        // Relaxed: an event at the very moment of a CONFIGURE may be told or not.
        self.listening.load(Ordering::Relaxed) & kind.bit() != 0
    }

    /// From here on these kinds are offered.
    pub fn listen(&self, mask: u32) {
        self.listening.store(mask, Ordering::Relaxed);
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
        self.offer(
            ring,
            Kind::ProcessStart,
            start.size(),
            kick,
            |losses, out| {
                start.write(losses, reference(), out);
            },
        );
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
        self.offer(
            ring,
            Kind::ProcessExit,
            ProcessExit::SIZE,
            kick,
            |losses, out| {
                exit.write(losses, reference(), out);
            },
        );
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
