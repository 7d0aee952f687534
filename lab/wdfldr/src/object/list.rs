//! A list of objects that needs no memory of its own, so that inserting cannot fail.

use core::marker::PhantomData;

use intrusive_collections::{LinkedList, LinkedListAtomicLink, UnsafeRef, intrusive_adapter};

use super::{AnyRef, Body, Header, Object, Ref};

intrusive_adapter!(pub(super) EntryAdapter = UnsafeRef<Header>: Header { entry: LinkedListAtomicLink });
intrusive_adapter!(pub(super) SiblingAdapter = UnsafeRef<Header>: Header { sibling: LinkedListAtomicLink });

/// A reference, as the list stores it.
pub(super) fn into_entry(reference: AnyRef) -> UnsafeRef<Header> {
    // SAFETY: the pointer is a live object's and stays so until `from_entry` takes it back.
    unsafe { UnsafeRef::from_raw(reference.into_raw().as_ptr()) }
}

/// The reference that went in.
pub(super) fn from_entry(entry: UnsafeRef<Header>) -> AnyRef {
    // SAFETY: only `into_entry` makes entries, each out of one reference.
    unsafe { AnyRef::from_raw(entry.this) }
}

/// Holds a reference to each of its members. An object is in one such list at a time.
pub(crate) struct List<T: Body> {
    entries: LinkedList<EntryAdapter>,
    of: PhantomData<fn() -> T>,
}

// SAFETY: the list owns references, which may go to another thread.
unsafe impl<T: Body> Send for List<T> {}

impl<T: Body> Default for List<T> {
    fn default() -> Self {
        Self {
            entries: LinkedList::new(EntryAdapter::new()),
            of: PhantomData,
        }
    }
}

impl<T: Body> List<T> {
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.iter().count()
    }

    pub(crate) fn push_back(&mut self, object: Ref<T>) {
        self.entries.push_back(into_entry(object.into_any()));
    }

    pub(crate) fn push_front(&mut self, object: Ref<T>) {
        self.entries.push_front(into_entry(object.into_any()));
    }

    /// First to last.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Object<T>> {
        // SAFETY: only a Ref<T> goes in.
        self.entries.iter().map(|header| unsafe { header.object() })
    }

    /// Takes out the first member that `wanted` accepts.
    pub(crate) fn take(&mut self, mut wanted: impl FnMut(&Object<T>) -> bool) -> Option<Ref<T>> {
        let mut cursor = self.entries.front_mut();
        loop {
            // SAFETY: only a Ref<T> goes in.
            let object = unsafe { cursor.get()?.object::<T>() };
            if wanted(object) {
                return cursor.remove().map(|entry| from_entry(entry).typed());
            }
            cursor.move_next();
        }
    }

    /// Takes out this very object, if it is a member.
    pub(crate) fn remove(&mut self, object: &Object<T>) -> Option<Ref<T>> {
        self.take(|member| core::ptr::eq(member, object))
    }
}

impl<T: Body> Drop for List<T> {
    fn drop(&mut self) {
        while let Some(entry) = self.entries.pop_front() {
            drop(from_entry(entry));
        }
    }
}
