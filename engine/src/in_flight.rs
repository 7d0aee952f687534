//! From the callback before an open to the one after it, in the same thread: 64 bits that the
//! system passes on, and a table for what they cannot hold.

use crate::process_table::ProcessId;
use crate::sync::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// What the callback before the open knew and the one after it is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// `OriginalDesiredAccess`.
    pub original: u32,
    /// `DesiredAccess`, as this driver left it.
    pub desired: u32,
    /// Of a duplicate: the process whose handle it is of, and the one that gets it.
    pub duplicate: Option<(ProcessId, ProcessId)>,
}

// The 64 bits: the original rights; which of them are gone, all of them among the low 16 (page
// "OB_PRE_CREATE_HANDLE_INFORMATION" lists what a driver may take away); one more than the slot of
// a duplicate, 0 for none; and a bit that tells all of it from the null of an open not seen.
const GONE: u32 = 32;
const SLOT: u32 = 48;
const SEEN: u64 = 1 << 63;

/// Duplicates at once. Each is between two calls of one thread, without a wait of ours.
#[cfg(not(loom))]
const SLOTS: usize = 64;
#[cfg(loom)]
const SLOTS: usize = 2;

/// See the module. Lives as long as the driver.
#[derive(Debug)]
pub struct InFlight {
    slots: [Slot; SLOTS],
}

#[derive(Debug)]
struct Slot {
    is_taken: AtomicBool,
    pids: [AtomicU32; 2],
    keys: [AtomicU64; 2],
}

impl InFlight {
    /// Nothing is on its way.
    #[cfg(not(loom))]
    #[must_use]
    pub const fn new() -> Self {
        Self {
            slots: [const {
                Slot {
                    is_taken: AtomicBool::new(false),
                    pids: [const { AtomicU32::new(0) }; 2],
                    keys: [const { AtomicU64::new(0) }; 2],
                }
            }; SLOTS],
        }
    }

    /// Nothing is on its way. (loom's atomics are not made in constants.)
    #[cfg(loom)]
    #[must_use]
    pub fn new() -> Self {
        Self {
            slots: core::array::from_fn(|_| Slot {
                is_taken: AtomicBool::new(false),
                pids: core::array::from_fn(|_| AtomicU32::new(0)),
                keys: core::array::from_fn(|_| AtomicU64::new(0)),
            }),
        }
    }

    /// What to hand to the callback after the open; never 0. If too many duplicates are on their
    /// way, the processes of this one are not known there.
    #[inline]
    pub fn put(&self, seen: &Seen) -> u64 {
        let gone = seen.original & !seen.desired & 0xFFFF;
        let slot = seen
            .duplicate
            .and_then(|(from, to)| self.take_slot(from, to));
        SEEN | slot.unwrap_or(0) << SLOT | u64::from(gone) << GONE | u64::from(seen.original)
    }

    /// What [`Self::put`] was given; `None` for 0, of an open that it was not asked about. To be
    /// called once.
    #[inline]
    pub fn get(&self, context: u64) -> Option<Seen> {
        if context & SEEN == 0 {
            return None;
        }
        let original = context as u32;
        let gone = (context >> GONE) as u32 & 0xFFFF;
        let slot = (context & !SEEN) >> SLOT;
        Some(Seen {
            original,
            desired: original & !gone,
            duplicate: self.free_slot(slot),
        })
    }

    /// One more than the slot.
    fn take_slot(&self, from: ProcessId, to: ProcessId) -> Option<u64> {
        let (slot, number) = self.slots.iter().zip(1..).find(|(slot, _)| slot.take())?;
        for (process, (pid, key)) in [from, to].iter().zip(slot.pids.iter().zip(&slot.keys)) {
            // Relaxed: nobody else has the slot.
            pid.store(process.pid, Ordering::Relaxed);
            key.store(process.key, Ordering::Relaxed);
        }
        Some(number)
    }

    fn free_slot(&self, number: u64) -> Option<(ProcessId, ProcessId)> {
        let slot = self
            .slots
            .get(usize::try_from(number.checked_sub(1)?).ok()?)?;
        let [from_pid, to_pid] = &slot.pids;
        let [from_key, to_key] = &slot.keys;
        let process = |pid: &AtomicU32, key: &AtomicU64| ProcessId {
            // Relaxed: this thread wrote them.
            pid: pid.load(Ordering::Relaxed),
            key: key.load(Ordering::Relaxed),
        };
        let processes = (process(from_pid, from_key), process(to_pid, to_key));
        // Release: they are read. Pairs with the acquire of whoever takes the slot next and writes.
        slot.is_taken.store(false, Ordering::Release);
        Some(processes)
    }
}

#[cfg(not(loom))]
impl Default for InFlight {
    fn default() -> Self {
        Self::new()
    }
}

impl Slot {
    /// Is it the caller's now?
    fn take(&self) -> bool {
        // Looked at first, as a failing exchange would take the line from others.
        !self.is_taken.load(Ordering::Relaxed)
            && self
                .is_taken
                .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::{InFlight, SLOTS, Seen};
    use crate::process_table::ProcessId;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn processes(number: u32) -> Option<(ProcessId, ProcessId)> {
        let process = |pid: u32| ProcessId {
            pid,
            key: u64::from(pid) << 40 | 1,
        };
        Some((process(number), process(number.wrapping_add(1))))
    }

    proptest! {
        #[test]
        fn the_callback_after_is_told_what_the_one_before_saw(
            original: u32,
            gone: u16,
            duplicate: Option<u32>,
        ) {
            let in_flight = InFlight::new();
            let seen = Seen {
                original,
                desired: original & !u32::from(gone),
                duplicate: duplicate.and_then(processes),
            };
            prop_assert_eq!(in_flight.get(in_flight.put(&seen)), Some(seen));
        }
    }

    #[test]
    fn an_open_that_was_not_seen_is_known_by_its_null() {
        assert_eq!(InFlight::new().get(0), None);
    }

    #[test]
    fn too_many_duplicates_lose_their_processes_and_nothing_else() {
        let in_flight = InFlight::new();
        let seen = |number| Seen {
            original: number,
            desired: number,
            duplicate: processes(number),
        };
        let contexts: Vec<_> = (0..=SLOTS as u32)
            .map(|number| in_flight.put(&seen(number)))
            .collect();
        for (number, context) in (0..).zip(contexts) {
            let mut expected = seen(number);
            if number == SLOTS as u32 {
                expected.duplicate = None;
            }
            assert_eq!(in_flight.get(context), Some(expected));
        }
        assert_eq!(in_flight.get(in_flight.put(&seen(7))), Some(seen(7)));
    }
}
