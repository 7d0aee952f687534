//! What waits in a session's ring, remembered apart from it.
//!
//! A consumer says how far it has come, not what it has passed, and one that reads in place does
//! not even say that it has. The ledger knows which records end where, so that the account is
//! the same whoever reads; and it is the driver's own, so that no client can spoil it.

use ntwatch_protocol::configure::MAX_RING_SIZE;
use ntwatch_protocol::handle::HandleOpen;
use ntwatch_protocol::image::ImageLoad;
use ntwatch_protocol::lost::Lost;
use ntwatch_protocol::process::{ProcessExit, ProcessStart};
use ntwatch_protocol::record::{KIND_SLOTS, Kind, RECORD_ALIGN};
use ntwatch_protocol::thread::{ThreadExit, ThreadStart};
use zerocopy::{FromBytes, IntoBytes};

/// No record is smaller, in bytes; so many of the ring there are for each entry.
const SMALLEST_RECORD: usize = 32;

/// Bytes of memory that the ledger for a ring of `ring_size` bytes is kept in.
#[must_use]
pub const fn ledger_size(ring_size: usize) -> usize {
    (ring_size / SMALLEST_RECORD).saturating_mul(size_of::<Entry>())
}

/// The records in a ring, oldest first.
#[derive(Debug)]
pub(super) struct Ledger<'m> {
    /// A power of two of them.
    entries: &'m mut [Entry],
    /// Entries ever put, and ever taken. They wrap.
    put: usize,
    taken: usize,
    /// Where in the ring the oldest record begins, or the padding before it.
    position: u64,
}

/// A record: the bytes that it takes in the ring, padding before it among them, and its kind in
/// the bits below, as all bytes are in multiples of [`RECORD_ALIGN`].
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes)]
#[repr(transparent)]
struct Entry(u32);

/// Bits that a kind needs beyond those that a multiple of [`RECORD_ALIGN`] leaves.
const SHIFT: u32 = KIND_SLOTS.trailing_zeros() - RECORD_ALIGN.trailing_zeros();
const KIND: u32 = KIND_SLOTS as u32 - 1;

impl Entry {
    const fn new(span: u64, kind: Kind) -> Self {
        Self((span as u32) << SHIFT | kind as u32)
    }

    const fn span(self) -> u64 {
        ((self.0 & !KIND) >> SHIFT) as u64
    }

    const fn kind(self) -> Option<Kind> {
        Kind::from_wire((self.0 & KIND) as u16)
    }
}

impl<'m> Ledger<'m> {
    /// In `memory` of [`ledger_size`] bytes, for a ring that nothing was put into yet.
    pub(super) fn new(memory: &'m mut [u64]) -> Self {
        Self {
            // It never fails: a word is two entries.
            entries: <[Entry]>::mut_from_bytes(memory.as_mut_bytes()).unwrap_or_default(),
            put: 0,
            taken: 0,
            position: 0,
        }
    }

    /// Are there as many records as fit into the ring, and more than are there, unless its
    /// consumer's position is in the midst of one?
    pub(super) fn is_full(&self) -> bool {
        self.put.wrapping_sub(self.taken) >= self.entries.len()
    }

    /// The next record went into the ring, `span` bytes further. Not to be called when full.
    pub(super) fn put(&mut self, span: u64, kind: Kind) {
        let slot = self.slot(self.put);
        if let Some(entry) = self.entries.get_mut(slot) {
            *entry = Entry::new(span, kind);
            self.put = self.put.wrapping_add(1);
        }
    }

    /// Takes out the oldest record if the consumer, who is at `read`, has passed it.
    pub(super) fn take_passed(&mut self, read: u64) -> Option<Kind> {
        let end = self.position.saturating_add(self.oldest()?.span());
        if end <= read { self.take() } else { None }
    }

    /// Takes out the oldest record.
    pub(super) fn take(&mut self) -> Option<Kind> {
        let oldest = self.oldest()?;
        self.taken = self.taken.wrapping_add(1);
        self.position = self.position.saturating_add(oldest.span());
        oldest.kind()
    }

    fn oldest(&self) -> Option<Entry> {
        if self.put == self.taken {
            return None;
        }
        self.entries.get(self.slot(self.taken)).copied()
    }

    fn slot(&self, entry: usize) -> usize {
        entry & self.entries.len().wrapping_sub(1)
    }
}

const _: () = {
    assert!(KIND_SLOTS.is_power_of_two() && SMALLEST_RECORD.is_power_of_two());
    assert!(size_of::<ProcessStart>() >= SMALLEST_RECORD);
    assert!(size_of::<ProcessExit>() >= SMALLEST_RECORD);
    assert!(size_of::<ThreadStart>() >= SMALLEST_RECORD);
    assert!(size_of::<ThreadExit>() >= SMALLEST_RECORD);
    assert!(size_of::<ImageLoad>() >= SMALLEST_RECORD);
    assert!(size_of::<HandleOpen>() >= SMALLEST_RECORD);
    assert!(size_of::<Lost>() >= SMALLEST_RECORD);
    // The longest span is that of a whole ring.
    let longest = Entry::new(MAX_RING_SIZE as u64, Kind::Lost);
    assert!(longest.span() == MAX_RING_SIZE as u64);
    assert!(matches!(longest.kind(), Some(Kind::Lost)));
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;
    use std::vec;
    use std::vec::Vec;

    const RING_SIZE: u64 = 512;

    /// A record is put if there is room for its span; then the consumer moves so far, down to a
    /// multiple of so many bytes.
    type Step = (u64, Kind, u64);

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let units = SMALLEST_RECORD as u64 / 8..20;
        let kind = prop::sample::select(&[Kind::Lost, Kind::ProcessStart, Kind::HandleOpen][..]);
        let step = (units.prop_map(|units| 8 * units), kind, 0u64..20);
        prop::collection::vec(step, 1..200)
    }

    fn memory() -> Vec<u64> {
        vec![0; ledger_size(RING_SIZE as usize) / size_of::<u64>()]
    }

    /// Runs `steps` beside the records that really are there. `is_truthful`: the consumer stands
    /// only between records.
    fn run(steps: &[Step], is_truthful: bool) {
        let mut memory = memory();
        let mut ledger = Ledger::new(&mut memory);
        let mut there: VecDeque<(u64, Kind)> = VecDeque::new();
        let (mut written, mut read) = (0, 0);
        for &(span, kind, forward) in steps {
            if span <= RING_SIZE - (written - read) {
                if ledger.is_full() {
                    while let Some(passed) = ledger.take_passed(read) {
                        assert_eq!(there.pop_front().unwrap().1, passed);
                    }
                }
                if ledger.is_full() {
                    assert!(!is_truthful, "all that fits into the ring has an entry");
                    assert_eq!(ledger.take(), there.pop_front().map(|(_, kind)| kind));
                    assert!(!ledger.is_full());
                }
                ledger.put(span, kind);
                written += span;
                there.push_back((written, kind));
            }
            let to = written.min(read + 8 * forward);
            read = match is_truthful {
                true => {
                    let ends = there.iter().map(|(end, _)| *end);
                    ends.filter(|end| *end <= to).max().unwrap_or(read)
                }
                false => to,
            };
        }
        while let Some(kind) = ledger.take_passed(read) {
            let (end, there) = there.pop_front().unwrap();
            assert!(end <= read);
            assert_eq!(kind, there);
        }
        assert!(there.front().is_none_or(|(end, _)| *end > read));
    }

    proptest! {
        #[test]
        fn it_knows_which_records_the_consumer_has_passed(steps in steps()) {
            run(&steps, true);
        }

        #[test]
        fn a_consumer_in_the_midst_of_a_record_makes_it_one_short_at_most(steps in steps()) {
            run(&steps, false);
        }
    }

    #[test]
    fn it_can_be_one_short() {
        let smallest = SMALLEST_RECORD as u64;
        let mut memory = memory();
        let mut ledger = Ledger::new(&mut memory);
        let len = RING_SIZE / smallest;
        ledger.put(smallest + 8, Kind::HandleOpen);
        (2..len).for_each(|_| ledger.put(smallest, Kind::ProcessExit));
        assert!(!ledger.is_full());
        ledger.put(smallest, Kind::ProcessExit);
        assert!(ledger.is_full());
        // The consumer says that it has room for one more, 8 bytes before the end of the first.
        assert_eq!(ledger.take_passed(smallest), None);
        assert_eq!(ledger.take(), Some(Kind::HandleOpen));
        assert_eq!(
            ledger.take_passed(2 * smallest + 8),
            Some(Kind::ProcessExit)
        );
    }
}
