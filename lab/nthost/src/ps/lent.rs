//! Objects that a thread has for the length of a call.

use crate::ob::{Object, ObjectRef};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// An object that a frame further up a thread's own stack lends it, or none. For the thread itself
/// to call.
#[derive(Debug)]
pub(super) struct Lent<T>(AtomicPtr<T>);

impl<T> Default for Lent<T> {
    fn default() -> Lent<T> {
        Lent(AtomicPtr::new(ptr::null_mut()))
    }
}

impl<T: Object> Lent<T> {
    /// Lends `object` while `body` runs, in place of one that was lent before.
    pub(super) fn during<R>(&self, object: &ObjectRef<T>, body: impl FnOnce() -> R) -> R {
        struct Restore<'a, T>(&'a Lent<T>, *mut T);
        impl<T> Drop for Restore<'_, T> {
            fn drop(&mut self) {
                self.0.0.store(self.1, Ordering::Relaxed);
            }
        }

        let before = self.0.swap(object.as_ptr(), Ordering::Relaxed);
        let _restore = Restore(self, before);
        body()
    }

    /// What is lent.
    pub(super) fn get(&self) -> Option<ObjectRef<T>> {
        let lent = self.as_ptr();
        // SAFETY: not null, so `during` runs further up this thread's stack and borrows the
        // object until it has taken the pointer back; no other thread asks.
        (!lent.is_null()).then(|| unsafe { ObjectRef::from_body(lent) })
    }

    /// The address of what is lent, to which no reference is taken; null if nothing is.
    pub(super) fn as_ptr(&self) -> *mut T {
        self.0.load(Ordering::Relaxed)
    }
}
