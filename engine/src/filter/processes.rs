//! Conditions on processes, and on those that descend from them.

use crate::event::{Event, Party, What};
use crate::memory::{OutOfMemory, collect};
use crate::process_table::{ProcessId, ProcessTable};
use alloc::vec::Vec;
use ntwatch_protocol::configure::{Selector, selector};

/// Sets of the table of descendants: 4096 places, eight to a set. Where a set is full, the one is
/// forgotten that started none for longest, so some may be long before there are 4096.
const DESCENDANT_SETS: usize = 512;

/// The processes that a filter names, and their descendants if it asks for them.
#[derive(Debug)]
pub(super) struct Processes {
    named: Vec<Selector>,
    /// Those that started since, and run.
    descendants: Option<ProcessTable<()>>,
}

impl Processes {
    pub(super) fn new(named: impl Iterator<Item = Selector> + Clone) -> Result<Self, OutOfMemory> {
        let named = collect(named.clone().count(), named)?;
        let descendants = match named.iter().any(means_descendants) {
            true => Some(ProcessTable::new(DESCENDANT_SETS)?),
            false => None,
        };
        Ok(Self { named, descendants })
    }

    /// Goes on with the descendants that `previous` has followed, if every process is still named
    /// that they descend from.
    pub(super) fn take_over(&mut self, previous: &mut Self) {
        let mut roots = previous
            .named
            .iter()
            .filter(|named| means_descendants(named));
        if previous.descendants.is_some() && roots.all(|root| self.named.contains(root)) {
            self.descendants = previous.descendants.take();
        }
    }

    /// Is none named?
    pub(super) fn is_empty(&self) -> bool {
        self.named.is_empty()
    }

    /// Is this one of them?
    pub(super) fn has(&self, id: ProcessId) -> bool {
        self.named.iter().any(|named| is_named(named, id))
            || self
                .descendants
                .as_ref()
                .is_some_and(|descendants| descendants.peek(id).is_some())
    }

    /// A process whose parent is one of them is one, too.
    pub(super) fn follow_start(&mut self, event: &Event<'_>) {
        let (Some(descendants), What::ProcessStart { parent }, [Some(Party { id, .. }), _]) =
            (&mut self.descendants, event.what, event.about)
        else {
            return;
        };
        let is_root = |named: &Selector| means_descendants(named) && is_named(named, parent);
        if self.named.iter().any(is_root) || descendants.get(parent).is_some() {
            descendants.insert(id, ());
        }
    }

    /// A process that has ended is nobody's descendant any more.
    pub(super) fn follow_exit(&mut self, event: &Event<'_>) {
        if let (Some(descendants), What::ProcessExit, [Some(Party { id, .. }), _]) =
            (&mut self.descendants, event.what, event.about)
        {
            descendants.remove(id);
        }
    }
}

fn means_descendants(named: &Selector) -> bool {
    named.flags & selector::DESCENDANTS != 0
}

fn is_named(named: &Selector, id: ProcessId) -> bool {
    named.pid == id.pid && (named.key == 0 || named.key == id.key)
}
