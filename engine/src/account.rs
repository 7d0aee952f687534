//! Who counts what becomes of an event, by kind.

use core::sync::atomic::{AtomicU64, Ordering};
use ntwatch_protocol::record::{KIND_SLOTS, Kind, PerKind};

/// Adds `count` events of `kind`.
pub(crate) fn add(counts: &mut PerKind, kind: Kind, count: u64) {
    if let Some(slot) = counts.get_mut(kind.index()) {
        *slot = slot.wrapping_add(count);
    }
}

/// Takes `count` events of `kind` away.
pub(crate) fn sub(counts: &mut PerKind, kind: Kind, count: u64) {
    if let Some(slot) = counts.get_mut(kind.index()) {
        *slot = slot.wrapping_sub(count);
    }
}

/// How many of `kind`.
#[must_use]
pub fn of(counts: &PerKind, kind: Kind) -> u64 {
    counts.get(kind.index()).copied().unwrap_or(0)
}

/// `a` and `b`, kind by kind.
#[must_use]
pub fn sum(a: &PerKind, b: &PerKind) -> PerKind {
    zip(a, b, u64::wrapping_add)
}

/// What `a` has more than `b`, kind by kind.
pub(crate) fn difference(a: &PerKind, b: &PerKind) -> PerKind {
    zip(a, b, u64::wrapping_sub)
}

/// `counts` for the kinds in `mask`, 0 for the others.
pub(crate) fn masked(counts: &PerKind, mask: u32) -> PerKind {
    let mut result = *counts;
    for (index, count) in (0u32..).zip(&mut result) {
        if mask.checked_shr(index).unwrap_or(0) & 1 == 0 {
            *count = 0;
        }
    }
    result
}

fn zip(a: &PerKind, b: &PerKind, op: impl Fn(u64, u64) -> u64) -> PerKind {
    let mut result = [0; KIND_SLOTS];
    for ((result, a), b) in result.iter_mut().zip(a).zip(b) {
        *result = op(*a, *b);
    }
    result
}

/// What the callbacks did with the events they saw. An event counts once its fate is known, so
/// that *offered = captured + lost*, but for the instant in which one that the ring took turns out to
/// be lost.
#[derive(Debug)]
pub struct CaptureAccount {
    captured: [AtomicU64; KIND_SLOTS],
    lost: [AtomicU64; KIND_SLOTS],
    losses: AtomicU64,
}

impl CaptureAccount {
    pub(crate) const fn new() -> Self {
        Self {
            captured: [const { AtomicU64::new(0) }; KIND_SLOTS],
            lost: [const { AtomicU64::new(0) }; KIND_SLOTS],
            losses: AtomicU64::new(0),
        }
    }

    /// The ring took an event. To be called before its commit: the worker must not count an
    /// event that this account does not have yet.
    pub(crate) fn count_captured(&self, kind: Kind) {
        if let Some(count) = self.captured.get(kind.index()) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The ring had no room for an event.
    pub(crate) fn count_lost(&self, kind: Kind) {
        if let Some(count) = self.lost.get(kind.index()) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        // Pairs with the load in `losses`: who sees this total sees the kinds that make it up.
        self.losses.fetch_add(1, Ordering::Release);
    }

    /// The ring took an event that cannot be told after all: it is lost.
    pub(crate) fn count_untold(&self, kind: Kind) {
        if let Some(count) = self.captured.get(kind.index()) {
            count.fetch_sub(1, Ordering::Relaxed);
        }
        self.count_lost(kind);
    }

    /// Events lost so far, of whatever kind.
    pub(crate) fn losses(&self) -> u64 {
        self.losses.load(Ordering::Acquire)
    }

    /// Events that the ring took.
    #[must_use]
    pub fn captured(&self) -> PerKind {
        load(&self.captured)
    }

    /// Events that it had no room for.
    #[must_use]
    pub fn lost(&self) -> PerKind {
        load(&self.lost)
    }
}

fn load(counts: &[AtomicU64; KIND_SLOTS]) -> PerKind {
    let mut result = [0; KIND_SLOTS];
    for (result, count) in result.iter_mut().zip(counts) {
        *result = count.load(Ordering::Relaxed);
    }
    result
}
