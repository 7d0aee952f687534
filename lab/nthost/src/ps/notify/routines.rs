//! The routines that drivers registered for one kind of event.

use crate::Leak;
use crate::ex::Rundown;
use crate::verify::Origin;
use std::fmt;
use std::sync::{Arc, RwLock};

/// How many routines of a kind a machine takes.
pub(super) const MAX_ROUTINES: usize = 64;

/// Routines in the order of their registration, each with what it was registered for.
pub(super) struct Routines<O>(RwLock<Arc<[Arc<Routine<O>>]>>);

struct Routine<O> {
    address: usize,
    options: O,
    calls: Rundown,
    origin: Origin,
}

/// As many routines are registered as there can be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl<O> Default for Routines<O> {
    fn default() -> Self {
        Routines(RwLock::new(Arc::new([])))
    }
}

impl<O> fmt::Debug for Routines<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.registered()).finish()
    }
}

impl<O> Routines<O> {
    pub(super) fn add(&self, address: usize, options: O) -> Result<(), Full> {
        let mut list = self.0.write().unwrap();
        if list.len() == MAX_ROUTINES {
            return Err(Full);
        }
        let routine = Arc::new(Routine {
            address,
            options,
            calls: Rundown::default(),
            origin: Origin::here(),
        });
        *list = list.iter().cloned().chain([routine]).collect();
        Ok(())
    }

    /// Returns only when no call of the routine is running any more; `false` if there is none.
    pub(super) fn remove(&self, address: usize) -> bool {
        let routine = {
            let mut list = self.0.write().unwrap();
            let Some(index) = list.iter().position(|r| r.address == address) else {
                return false;
            };
            let routine = Arc::clone(&list[index]);
            *list = [&list[..index], &list[index + 1..]].concat().into();
            routine
        };
        routine.calls.wait();
        true
    }

    /// The addresses of the routines.
    pub(super) fn registered(&self) -> Vec<usize> {
        self.list().iter().map(|routine| routine.address).collect()
    }

    /// The routines, of this kind, as what a driver left behind.
    pub(super) fn leaks(&self, kind: &str) -> Vec<Leak> {
        let list = self.list();
        let text = |r: &Arc<Routine<O>>| format!("{kind} at {:#x}{}", r.address, r.origin);
        list.iter().map(text).map(Leak::Callback).collect()
    }

    /// Shows each routine to `call`, which may call it: it is not removed meanwhile.
    pub(super) fn for_each(&self, mut call: impl FnMut(usize, &O)) {
        for routine in self.list().iter() {
            if let Some(_running) = routine.calls.enter() {
                call(routine.address, &routine.options);
            }
        }
    }

    fn list(&self) -> Arc<[Arc<Routine<O>>]> {
        Arc::clone(&self.0.read().unwrap())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    #[test]
    fn only_64_are_registered_and_a_removed_one_makes_room() {
        let routines = Routines::default();
        for address in 1..=MAX_ROUTINES {
            assert_eq!(routines.add(address, ()), Ok(()));
        }
        assert_eq!(routines.add(1000, ()), Err(Full));
        assert!(routines.remove(1));
        assert!(!routines.remove(1));
        assert_eq!(routines.add(1000, ()), Ok(()));
        assert_eq!(routines.registered().first(), Some(&2));
        assert_eq!(routines.registered().last(), Some(&1000));
    }

    #[test]
    fn a_routine_is_removed_only_when_its_last_call_is_over() {
        let routines = Routines::default();
        routines.add(1, ()).unwrap();
        let [entered, may_leave, left] = [const { AtomicBool::new(false) }; 3];
        let wait_for = |flag: &AtomicBool| {
            while !flag.load(Ordering::SeqCst) {
                thread::yield_now();
            }
        };
        thread::scope(|scope| {
            scope.spawn(|| {
                routines.for_each(|_, ()| {
                    entered.store(true, Ordering::SeqCst);
                    wait_for(&may_leave);
                    left.store(true, Ordering::SeqCst);
                });
            });
            wait_for(&entered);
            let removing = scope.spawn(|| {
                assert!(routines.remove(1));
                assert!(left.load(Ordering::SeqCst));
            });
            while !routines.registered().is_empty() {
                thread::yield_now();
            }
            assert!(!removing.is_finished());
            may_leave.store(true, Ordering::SeqCst);
        });
    }
}
