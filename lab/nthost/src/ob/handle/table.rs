//! The handles of one process.

use crate::ob::AnyObject;
use crate::verify::Origin;
use std::fmt;
use std::sync::Mutex;
use windows_sys::Win32::Foundation::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES};

/// The open handles of one process.
#[derive(Default)]
pub struct HandleTable(Mutex<State>);

#[derive(Default)]
struct State {
    entries: Vec<Option<Entry>>,
    /// How many there can be, if that is limited.
    limit: Option<usize>,
}

struct Entry {
    object: AnyObject,
    access: u32,
    origin: Origin,
}

impl fmt::Debug for HandleTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.open()).finish()
    }
}

impl HandleTable {
    /// Limits the table to `limit` handles. Those beyond it that are open stay so.
    pub fn set_limit(&self, limit: usize) {
        self.0.lock().unwrap().limit = Some(limit);
    }

    /// Makes a handle: a multiple of four, the lowest that is free.
    ///
    /// # Errors
    /// `STATUS_INSUFFICIENT_RESOURCES` when the table is full.
    pub(crate) fn insert(&self, object: AnyObject, access: u32) -> Result<usize, NTSTATUS> {
        let mut state = self.0.lock().unwrap();
        let free = state.entries.iter().position(Option::is_none);
        let index = free.unwrap_or(state.entries.len());
        if state.limit.is_some_and(|limit| index >= limit) {
            return Err(STATUS_INSUFFICIENT_RESOURCES);
        }
        if free.is_none() {
            state.entries.push(None);
        }
        state.entries[index] = Some(Entry {
            object,
            access,
            origin: Origin::here(),
        });
        Ok((index + 1) * 4)
    }

    /// The object behind a handle, and the access it was granted.
    pub(crate) fn get(&self, handle: usize) -> Option<(AnyObject, u32)> {
        let state = self.0.lock().unwrap();
        let entry = state.entries.get(index(handle)?)?.as_ref()?;
        Some((entry.object.clone(), entry.access))
    }

    /// Takes a handle out.
    pub(crate) fn remove(&self, handle: usize) -> Option<AnyObject> {
        let mut state = self.0.lock().unwrap();
        let entry = state.entries.get_mut(index(handle)?)?.take()?;
        Some(entry.object)
    }

    /// Takes all handles out.
    pub(crate) fn close_all(&self) {
        let entries = std::mem::take(&mut self.0.lock().unwrap().entries);
        // The objects go without the lock.
        drop(entries);
    }

    /// Each open handle by its number, what it leads to and who made it.
    pub fn open(&self) -> Vec<String> {
        let state = self.0.lock().unwrap();
        let open = state.entries.iter().enumerate();
        open.filter_map(|(index, entry)| {
            let Entry { object, origin, .. } = entry.as_ref()?;
            Some(format!("{:#x} to {object:?}{origin}", (index + 1) * 4))
        })
        .collect()
    }
}

fn index(handle: usize) -> Option<usize> {
    (handle / 4).checked_sub(1)
}
