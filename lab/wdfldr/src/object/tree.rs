//! Parents and children.
//!
//! Who takes an object out of its parent's list owns its deletion, so it happens once however
//! many ask for it.

use intrusive_collections::LinkedList;
use windows_sys::Win32::Foundation::STATUS_DELETE_PENDING;

use super::list::{SiblingAdapter, from_entry, into_entry};
use super::{AnyRef, Body, Header, Ref};
use crate::nt::Error;

/// An object's children.
pub(super) struct Branch {
    children: LinkedList<SiblingAdapter>,
    /// Children that are disposed and not yet released.
    disposed: LinkedList<SiblingAdapter>,
    /// Deletion has begun: no more children.
    closed: bool,
}

// SAFETY: the lists own references, which may go to another thread.
unsafe impl Send for Branch {}

impl Default for Branch {
    fn default() -> Self {
        Self {
            children: LinkedList::new(SiblingAdapter::new()),
            disposed: LinkedList::new(SiblingAdapter::new()),
            closed: false,
        }
    }
}

/// Gives the object's first reference to its parent. At most DISPATCH_LEVEL.
///
/// # Errors
/// The parent is being deleted.
pub(crate) fn adopt<T: Body>(child: Ref<T>) -> Result<(), Error> {
    let child = child.into_any();
    // An object without a parent is never adopted; its creator keeps the reference.
    let parent = child.parent.clone().ok_or(STATUS_DELETE_PENDING)?;
    let mut branch = parent.branch.lock();
    if branch.closed {
        drop(branch);
        return Err(STATUS_DELETE_PENDING);
    }
    branch.children.push_back(into_entry(child));
    Ok(())
}

/// Deletes an object that is in the tree: disposes of it and what is below, bottom up, then gives
/// up the first references. At most DISPATCH_LEVEL for what has nothing to wait for (requests,
/// memory, locks, general objects), PASSIVE_LEVEL else.
///
/// N.B. KMDF defers the deletion of the others to a work item when it is asked for at
/// DISPATCH_LEVEL; nothing here does.
pub(crate) fn delete(object: &Header) {
    if let Some(first) = object
        .parent
        .as_ref()
        .and_then(|parent| remove_child(parent, object))
    {
        delete_root(first);
    }
}

/// Deletes an object that has no parent, or was just taken from it.
pub(crate) fn delete_root(first: AnyRef) {
    dispose(&first);
    release(first);
}

fn remove_child(parent: &Header, child: &Header) -> Option<AnyRef> {
    let mut branch = parent.branch.lock();
    let mut cursor = branch.children.front_mut();
    loop {
        if core::ptr::eq(cursor.get()?, child) {
            return cursor.remove().map(from_entry);
        }
        cursor.move_next();
    }
}

/// Children first, then the object's own end of work, then its clean-up callbacks. Disposed
/// children stay in memory until the whole branch is disposed: the page "When does
/// EvtCleanupCallback run?" promises that a parent's callback still finds them.
fn dispose(object: &Header) {
    loop {
        let child = {
            let mut branch = object.branch.lock();
            branch.closed = true;
            branch.children.pop_front()
        };
        let Some(child) = child.map(from_entry) else {
            break;
        };
        dispose(&child);
        object.branch.lock().disposed.push_back(into_entry(child));
    }
    // SAFETY: the class is the object's own.
    unsafe { (object.class.dispose)(object) };
    object.contexts.clean_up(object.handle());
}

fn release(object: AnyRef) {
    loop {
        let child = object.branch.lock().disposed.pop_front();
        let Some(child) = child.map(from_entry) else {
            break;
        };
        release(child);
    }
}
