//! Process and thread ids: multiples of four, from one space, used again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// The ids of one machine.
#[derive(Debug)]
pub(crate) struct Ids {
    state: Mutex<State>,
    /// A source of activity names its processes itself.
    left_to_source: AtomicBool,
}

#[derive(Debug)]
struct State {
    next: u32,
    /// Ids of objects that are gone. The last one is used first, so that reuse happens soon.
    free: Vec<u32>,
}

/// The first id after those of Idle and System.
const FIRST: u32 = 8;

/// Where ids of the machine's own begin when a source of activity names its processes itself:
/// above every pid that Linux or a recording has.
const OUT_OF_THE_WAY: u32 = 0x4000_0000;

impl Ids {
    pub(super) fn new() -> Arc<Ids> {
        Arc::new(Ids {
            state: Mutex::new(State {
                next: FIRST,
                free: Vec::new(),
            }),
            left_to_source: AtomicBool::new(false),
        })
    }

    /// What of an id counts when somebody is looked up by it: not its two low bits, as in Windows,
    /// unless a source names the ids, since Linux' are not multiples of four.
    pub(super) fn significant(&self, id: u32) -> u32 {
        match self.left_to_source.load(Ordering::Relaxed) {
            true => id,
            false => id & !3,
        }
    }

    /// From now on gives ids that no source of activity names.
    pub(super) fn leave_to_source(&self) {
        self.left_to_source.store(true, Ordering::Relaxed);
        let mut state = self.state.lock().unwrap();
        state.free.clear();
        state.next = OUT_OF_THE_WAY;
    }

    pub(super) fn allocate(self: &Arc<Self>) -> Id {
        let mut state = self.state.lock().unwrap();
        let value = state.free.pop().unwrap_or_else(|| {
            let value = state.next;
            state.next += 4;
            value
        });
        Id {
            value,
            owner: Some(Arc::clone(self)),
        }
    }
}

/// An id, free again once this is dropped: as in Windows with the object that bears it, not
/// with the exit.
#[derive(Debug)]
pub(super) struct Id {
    value: u32,
    /// `None` for an id that a source named.
    owner: Option<Arc<Ids>>,
}

impl Id {
    pub(super) fn named(value: u32) -> Id {
        Id { value, owner: None }
    }

    pub(super) fn value(&self) -> u32 {
        self.value
    }
}

impl Drop for Id {
    fn drop(&mut self) {
        if let Some(owner) = &self.owner {
            owner.state.lock().unwrap().free.push(self.value);
        }
    }
}
