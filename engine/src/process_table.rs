//! What is known of processes, by their identity.
//!
//! A table has a fixed number of places, eight to a set; a new process takes the place in its set
//! that was asked for longest ago. So entries of processes that never notify their exit (one that
//! never had a thread need not) go by themselves, and the cost of a look-up does not grow with
//! the number of processes.

use crate::memory::{OutOfMemory, collect};
use alloc::vec::Vec;

const WAYS: usize = 8;

/// Process identity: pids are reused, start keys are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProcessId {
    /// Process id.
    pub pid: u32,
    /// Start key (page "PsGetProcessStartKey"); 0, which no process has, if it is not known.
    pub key: u64,
}

impl ProcessId {
    /// The process that has `pid`, and this key if one is known.
    #[must_use]
    pub fn new(pid: u32, key: Option<u64>) -> Self {
        Self {
            pid,
            key: key.unwrap_or(0),
        }
    }
}

#[derive(Debug)]
struct Entry<V> {
    id: ProcessId,
    /// How many were asked for before it.
    age: u64,
    value: V,
}

type Set<V> = [Option<Entry<V>>; WAYS];

/// See the module.
#[derive(Debug)]
pub struct ProcessTable<V> {
    sets: Vec<Set<V>>,
    /// How many were ever asked for.
    asked: u64,
}

impl<V> ProcessTable<V> {
    /// A table for eight times `sets` processes.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn new(sets: usize) -> Result<Self, OutOfMemory> {
        let empty = core::iter::repeat_with(Set::default);
        Ok(Self {
            sets: collect(sets, empty)?,
            asked: 0,
        })
    }

    /// Remembers `value` of a process, and forgets what was known.
    pub fn insert(&mut self, id: ProcessId, value: V) {
        let age = self.next_age();
        let place = self.set_mut(id).and_then(|set| {
            set.iter_mut().min_by_key(|place| match place {
                Some(entry) if entry.id == id => 0,
                None => 1,
                Some(entry) => entry.age.saturating_add(1),
            })
        });
        if let Some(place) = place {
            *place = Some(Entry { id, age, value });
        }
    }

    /// What is known of a process. It is not asked for by this: it may have to give way.
    #[must_use]
    pub fn peek(&self, id: ProcessId) -> Option<&V> {
        let set = self.sets.get(self.index(id)?)?;
        let entry = set.iter().flatten().find(|entry| entry.id == id)?;
        Some(&entry.value)
    }

    /// What is known of a process.
    pub fn get(&mut self, id: ProcessId) -> Option<&mut V> {
        let age = self.next_age();
        let entry = self
            .set_mut(id)?
            .iter_mut()
            .flatten()
            .find(|entry| entry.id == id)?;
        entry.age = age;
        Some(&mut entry.value)
    }

    /// Forgets a process, and gives back what was known.
    pub fn remove(&mut self, id: ProcessId) -> Option<V> {
        let is_it = |place: &&mut Option<Entry<V>>| place.as_ref().is_some_and(|e| e.id == id);
        let entry = self.set_mut(id)?.iter_mut().find(is_it)?.take()?;
        Some(entry.value)
    }

    fn next_age(&mut self) -> u64 {
        self.asked = self.asked.wrapping_add(1);
        self.asked
    }

    fn set_mut(&mut self, id: ProcessId) -> Option<&mut Set<V>> {
        let index = self.index(id)?;
        self.sets.get_mut(index)
    }

    fn index(&self, id: ProcessId) -> Option<usize> {
        // Fibonacci hashing: pids are multiples of 4 and keys count up, so the low bits are poor.
        let mixed =
            (id.key ^ u64::from(id.pid).rotate_left(32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let index = (mixed >> 32).checked_rem(self.sets.len() as u64)?;
        Some(index as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::{ProcessId, ProcessTable, WAYS};
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn id(pid: u32, key: u64) -> ProcessId {
        ProcessId { pid, key }
    }

    #[test]
    fn a_reused_pid_is_another_process() {
        let mut table = ProcessTable::new(4).unwrap();
        table.insert(id(8, 1), 'a');
        table.insert(id(8, 2), 'b');
        assert_eq!(table.remove(id(8, 2)), Some('b'));
        assert_eq!(table.remove(id(8, 2)), None);
        assert_eq!(table.remove(id(8, 1)), Some('a'));
    }

    #[test]
    fn the_process_that_was_asked_for_longest_ago_gives_way() {
        let mut table = ProcessTable::new(1).unwrap();
        for key in 0..WAYS as u64 {
            table.insert(id(8, key), ());
        }
        assert!(table.get(id(8, 0)).is_some());
        assert!(table.peek(id(8, 1)).is_some());
        table.insert(id(8, 100), ());
        assert!(table.peek(id(8, 0)).is_some());
        assert!(table.peek(id(8, 1)).is_none());
    }

    proptest! {
        #[test]
        fn what_the_table_says_was_told_to_it(
            steps in proptest::collection::vec((0u32..20, 0u64..4, 0u8..3), 0..300),
        ) {
            let mut table = ProcessTable::new(2).unwrap();
            let mut told = HashMap::new();
            for (value, (pid, key, action)) in (0u8..=255).cycle().zip(steps) {
                let id = id(pid, key);
                match action {
                    0 => {
                        table.insert(id, value);
                        told.insert(id, value);
                    }
                    1 => {
                        let known = table.peek(id).copied();
                        prop_assert!(known.is_none() || known.as_ref() == told.get(&id));
                        prop_assert_eq!(table.get(id).copied(), known);
                    }
                    _ => {
                        let known = table.remove(id);
                        prop_assert!(known.is_none() || known == told.remove(&id));
                        prop_assert_eq!(table.remove(id), None);
                    }
                }
            }
        }
    }
}
