//! Counted references.

use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::Deref;
use core::ptr::NonNull;
use core::sync::atomic::{Ordering, fence};

use super::{Body, Header, Object};

/// A reference to an object of any type. The last one to go destroys the object.
pub(crate) struct AnyRef(NonNull<Header>);

// SAFETY: objects are shared between threads; their bodies are Send and Sync.
unsafe impl Send for AnyRef {}
// SAFETY: as above.
unsafe impl Sync for AnyRef {}

/// A reference to an object of type `T`.
pub(crate) struct Ref<T: Body> {
    any: AnyRef,
    of: PhantomData<fn() -> T>,
}

impl Header {
    /// One more reference.
    pub(crate) fn reference(&self) -> AnyRef {
        // Relaxed: whoever makes a reference holds one, so nothing is published by it.
        self.references.fetch_add(1, Ordering::Relaxed);
        AnyRef(self.this)
    }
}

impl AnyRef {
    /// # Safety
    /// The pointer came from [`into_raw`](Self::into_raw), or is the first reference to an object.
    pub(crate) unsafe fn from_raw(pointer: NonNull<Header>) -> Self {
        Self(pointer)
    }

    /// The reference as a pointer, to be taken back later.
    pub(crate) fn into_raw(self) -> NonNull<Header> {
        ManuallyDrop::new(self).0
    }

    /// The reference of a list that knows what it holds.
    pub(super) fn typed<T: Body>(self) -> Ref<T> {
        assert!(self.kind() == T::KIND);
        Ref {
            any: self,
            of: PhantomData,
        }
    }
}

impl Deref for AnyRef {
    type Target = Header;

    fn deref(&self) -> &Header {
        // SAFETY: the reference keeps the object alive.
        unsafe { self.0.as_ref() }
    }
}

impl Clone for AnyRef {
    fn clone(&self) -> Self {
        self.reference()
    }
}

impl Drop for AnyRef {
    fn drop(&mut self) {
        // Release: what this thread did to the object comes before its end...
        if self.references.fetch_sub(1, Ordering::Release) != 1 {
            return;
        }
        // ...in whichever thread brings it about.
        fence(Ordering::Acquire);
        self.contexts.destroy(self.handle());
        let free = self.class.free;
        // SAFETY: that was the last reference, and the class is the object's own.
        unsafe { free(self.0) }
    }
}

impl<T: Body> Ref<T> {
    /// # Safety
    /// As for [`AnyRef::from_raw`], and the object is a `T`.
    pub(crate) unsafe fn from_raw(pointer: NonNull<Header>) -> Self {
        // SAFETY: the caller's promise.
        let any = unsafe { AnyRef::from_raw(pointer) };
        Self {
            any,
            of: PhantomData,
        }
    }

    /// The reference as a pointer, to be taken back later.
    pub(crate) fn into_raw(self) -> NonNull<Header> {
        self.any.into_raw()
    }

    /// The reference, whatever it is to.
    pub(crate) fn into_any(self) -> AnyRef {
        self.any
    }
}

impl<T: Body> Deref for Ref<T> {
    type Target = Object<T>;

    fn deref(&self) -> &Object<T> {
        // SAFETY: the object is a T.
        unsafe { self.any.object() }
    }
}

impl<T: Body> Clone for Ref<T> {
    fn clone(&self) -> Self {
        self.reference()
    }
}
