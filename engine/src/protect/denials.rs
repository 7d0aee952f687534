//! The readers' side: which rights are denied, as a callback asks at up to APC_LEVEL.
//!
//! Each rule lies in a slot. A reader never waits and never tries again, and yet
//!
//! - sees every rule that was added before it began and not removed until it is done: a rule stays
//!   in its slot, and new rights replace the old ones in place;
//! - never takes the rights of one process for those of another, though slots are used again: the
//!   slot's tenure, which only grows, is the same before and after it has looked.

use crate::sync::{AtomicU32, AtomicU64, Ordering};
use ntwatch_protocol::protect::{MAX_RULES, Rule};

/// See the module. [`super::Rules`] alone writes to it.
#[derive(Debug)]
pub struct Denials {
    /// One past the last slot that has a rule.
    end: AtomicU32,
    slots: [Slot; MAX_RULES],
}

/// The place of a rule.
#[derive(Debug)]
pub(super) struct Slot {
    /// Odd while a rule lies here.
    tenure: AtomicU64,
    key: AtomicU64,
    process: AtomicU32,
    thread: AtomicU32,
}

impl Denials {
    /// Nothing is denied.
    #[cfg(not(loom))]
    #[must_use]
    pub const fn new() -> Self {
        Self {
            end: AtomicU32::new(0),
            slots: [const {
                Slot {
                    tenure: AtomicU64::new(0),
                    key: AtomicU64::new(0),
                    process: AtomicU32::new(0),
                    thread: AtomicU32::new(0),
                }
            }; MAX_RULES],
        }
    }

    /// Nothing is denied. (loom's atomics are not made in constants.)
    #[cfg(loom)]
    #[must_use]
    pub fn new() -> Self {
        Self {
            end: AtomicU32::new(0),
            slots: core::array::from_fn(|_| Slot {
                tenure: AtomicU64::new(0),
                key: AtomicU64::new(0),
                process: AtomicU32::new(0),
                thread: AtomicU32::new(0),
            }),
        }
    }

    /// Is nothing denied to anybody? Spares the callbacks to find out who it is.
    #[inline]
    pub fn is_empty(&self) -> bool {
        // Relaxed, as in `denied`.
        self.end.load(Ordering::Relaxed) == 0
    }

    /// The rights that are denied to the process with this start key.
    #[inline]
    pub fn denied_process(&self, key: u64) -> u32 {
        self.denied(key, |slot| &slot.process)
    }

    /// The rights that are denied to its threads.
    #[inline]
    pub fn denied_thread(&self, key: u64) -> u32 {
        self.denied(key, |slot| &slot.thread)
    }

    #[inline]
    fn denied(&self, key: u64, rights: impl Fn(&Slot) -> &AtomicU32) -> u32 {
        // Relaxed: whoever knows that a rule was added sees an end behind it.
        let end = self.end.load(Ordering::Relaxed);
        self.slots
            .iter()
            .take(end as usize)
            .filter_map(|slot| slot.denied(key, &rights))
            .fold(0, |denied, rights| denied | rights)
    }

    pub(super) const fn slots(&self) -> &[Slot; MAX_RULES] {
        &self.slots
    }

    /// From here on readers look at the first `end` slots; no rule may lie behind them.
    pub(super) fn set_end(&self, end: usize) {
        self.end.store(end as u32, Ordering::Relaxed);
    }
}

#[cfg(not(loom))]
impl Default for Denials {
    fn default() -> Self {
        Self::new()
    }
}

impl Slot {
    /// What the rule here denies, if there is one about this process.
    #[inline]
    fn denied(&self, key: u64, rights: impl Fn(&Self) -> &AtomicU32) -> Option<u32> {
        // Acquire pairs with the release in `begin`: key and rights are of this tenure or a later.
        let tenure = self.tenure.load(Ordering::Acquire);
        if tenure.is_multiple_of(2) || self.key.load(Ordering::Acquire) != key {
            return None;
        }
        let rights = rights(self).load(Ordering::Acquire);
        // Acquire, of key and of rights, pairs with the release that wrote them: were they of a
        // later tenure, this would see that ours is over.
        (self.tenure.load(Ordering::Relaxed) == tenure).then_some(rights)
    }

    /// Puts a rule here. Only for the one writer, as all below, and only where none lies.
    pub(super) fn begin(&self, rule: &Rule) {
        // Release: who sees the key sees that the tenure before is over.
        self.key.store(rule.target.key, Ordering::Release);
        self.set_rights(rule);
        // Release: who sees the tenure sees key and rights.
        self.next_tenure(Ordering::Release);
    }

    /// Replaces the rights of the rule that lies here.
    pub(super) fn set_rights(&self, rule: &Rule) {
        // Release: who sees them sees that the tenure before theirs is over.
        self.process.store(rule.process, Ordering::Release);
        self.thread.store(rule.thread, Ordering::Release);
    }

    /// Takes the rule away.
    pub(super) fn end(&self) {
        // Relaxed: whatever is written here next is written with release.
        self.next_tenure(Ordering::Relaxed);
    }

    fn next_tenure(&self, order: Ordering) {
        // Relaxed: nobody else writes it.
        let tenure = self.tenure.load(Ordering::Relaxed);
        self.tenure.store(tenure.wrapping_add(1), order);
    }
}
