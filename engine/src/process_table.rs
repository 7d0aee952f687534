//! What is known of the processes that were seen to start.
//!
//! The table has a fixed number of places, eight to a set; a new process takes the place in its
//! set that has been there longest. So entries of processes that never notify their exit (one that
//! never had a thread need not) go by themselves, and the cost of a look-up does not grow with
//! the number of processes. A fact that was forgotten is asked for again.

use crate::memory::{OutOfMemory, collect};
use alloc::vec::Vec;

const WAYS: usize = 8;

/// Process identity: pids are reused, start keys are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProcessId {
    /// Process id.
    pub pid: u32,
    /// Start key (page "PsGetProcessStartKey").
    pub key: u64,
}

#[derive(Debug)]
struct Entry {
    id: ProcessId,
    /// How many were remembered before it.
    age: u64,
    image: Vec<u8>,
}

type Set = [Option<Entry>; WAYS];

/// See the module.
#[derive(Debug)]
pub struct ProcessTable {
    sets: Vec<Set>,
    /// How many were ever remembered.
    remembered: u64,
}

impl ProcessTable {
    /// A table for eight times `sets` processes.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn new(sets: usize) -> Result<Self, OutOfMemory> {
        let empty = core::iter::repeat_with(Set::default);
        Ok(Self {
            sets: collect(sets, empty)?,
            remembered: 0,
        })
    }

    /// Remembers the image of a process, UTF-16LE.
    pub fn insert(&mut self, id: ProcessId, image: Vec<u8>) {
        self.remembered = self.remembered.wrapping_add(1);
        let entry = Entry {
            id,
            age: self.remembered,
            image,
        };
        let place = self.set(id).and_then(|set| {
            set.iter_mut().min_by_key(|place| match place {
                Some(entry) if entry.id == id => 0,
                None => 1,
                Some(entry) => entry.age.saturating_add(2),
            })
        });
        if let Some(place) = place {
            *place = Some(entry);
        }
    }

    /// Forgets a process, and gives back what was known: its image.
    pub fn remove(&mut self, id: ProcessId) -> Option<Vec<u8>> {
        let is_it = |place: &&mut Option<Entry>| place.as_ref().is_some_and(|e| e.id == id);
        let entry = self.set(id)?.iter_mut().find(is_it)?.take()?;
        Some(entry.image)
    }

    fn set(&mut self, id: ProcessId) -> Option<&mut Set> {
        // Fibonacci hashing: pids are multiples of 4 and keys count up, so the low bits are poor.
        let mixed =
            (id.key ^ u64::from(id.pid).rotate_left(32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let index = (mixed >> 32).checked_rem(self.sets.len() as u64)?;
        self.sets.get_mut(index as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::{ProcessId, ProcessTable, WAYS};
    use proptest::prelude::*;
    use std::collections::HashMap;
    use std::vec;

    fn id(pid: u32, key: u64) -> ProcessId {
        ProcessId { pid, key }
    }

    #[test]
    fn a_reused_pid_is_another_process() {
        let mut table = ProcessTable::new(4).unwrap();
        table.insert(id(8, 1), vec![1]);
        table.insert(id(8, 2), vec![2]);
        assert_eq!(table.remove(id(8, 2)), Some(vec![2]));
        assert_eq!(table.remove(id(8, 2)), None);
        assert_eq!(table.remove(id(8, 1)), Some(vec![1]));
    }

    #[test]
    fn a_process_that_never_exits_gives_way_in_the_end() {
        let mut table = ProcessTable::new(1).unwrap();
        for key in 0..=WAYS as u64 {
            table.insert(id(8, key), vec![1]);
        }
        assert_eq!(table.remove(id(8, 0)), None);
        assert_eq!(table.remove(id(8, 1)), Some(vec![1]));
    }

    proptest! {
        #[test]
        fn what_the_table_says_was_told_to_it(
            steps in proptest::collection::vec((0u32..20, 0u64..4, any::<bool>()), 0..300),
        ) {
            let mut table = ProcessTable::new(2).unwrap();
            let mut told = HashMap::new();
            for (value, (pid, key, action)) in (0u8..=255).cycle().zip(steps) {
                let id = id(pid, key);
                if action {
                    table.insert(id, vec![value]);
                    told.insert(id, vec![value]);
                } else {
                    let known = table.remove(id);
                    prop_assert!(known.is_none() || known == told.remove(&id));
                    prop_assert_eq!(table.remove(id), None);
                }
            }
        }
    }
}
