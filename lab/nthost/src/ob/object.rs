//! Objects and references to them.
//!
//! As in Windows an object is a header with the body behind it; drivers know the body's address.
//! A body is a Rust value: it is dropped when the last reference goes. Host code holds references
//! as [`ObjectRef`]; what drivers hold is counted a second time, so that a reference a driver
//! forgot can be told from those of the model itself.

use std::collections::HashSet;
use std::ffi::c_void;
use std::fmt;
use std::mem::{align_of, offset_of};
use std::ops::Deref;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicIsize, Ordering, fence};
use std::sync::{Arc, Mutex};

/// The type of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Kind {
    Process,
    Thread,
    Token,
    Driver,
    Device,
    File,
    Key,
    Event,
    Section,
}

/// A value that can be an object's body.
///
/// A body is shared between threads, hence `Send + Sync`.
pub trait Object: Send + Sync + 'static {
    /// Its type.
    const KIND: Kind;

    /// Names the object in reports, for example `pid 4242`.
    fn describe(&self) -> String;
}

/// What stands in front of every body.
#[repr(C, align(16))]
struct Header {
    /// All references, those of drivers included.
    pointers: AtomicIsize,
    /// The references drivers hold.
    driver: AtomicIsize,
    kind: Kind,
    census: Arc<Census>,
    describe: unsafe fn(NonNull<Header>) -> String,
    destroy: unsafe fn(NonNull<Header>),
}

#[repr(C, align(16))]
struct Block<T> {
    header: Header,
    body: T,
}

impl<T: Object> Block<T> {
    /// The body's offset must not depend on its type: that is how a header is found.
    const BODY_FOLLOWS_HEADER: () = assert!(
        offset_of!(Block<T>, body) == size_of::<Header>()
            && align_of::<T>() <= align_of::<Header>()
    );

    /// # Safety
    /// `header` is that of a live `Block<T>`.
    unsafe fn describe(header: NonNull<Header>) -> String {
        // SAFETY: the caller's promise.
        let block = unsafe { header.cast::<Block<T>>().as_ref() };
        block.body.describe()
    }

    /// # Safety
    /// `header` is that of a `Block<T>` from [`ObjectRef::new`] whose last reference is gone.
    unsafe fn destroy(header: NonNull<Header>) {
        // SAFETY: the block came from `Box::leak`, and nobody else has it any more.
        drop(unsafe { Box::from_raw(header.cast::<Block<T>>().as_ptr()) });
    }
}

/// A reference to an object of any type. Cloning takes a reference, dropping gives it back.
pub struct AnyObject(NonNull<Header>);

// SAFETY: bodies are `Send + Sync` (bound on `Object`), the header's counters are atomic, and the
// rest of it never changes.
unsafe impl Send for AnyObject {}
// SAFETY: as above.
unsafe impl Sync for AnyObject {}

impl AnyObject {
    fn header(&self) -> &Header {
        // SAFETY: this reference keeps the block alive.
        unsafe { self.0.as_ref() }
    }

    /// The header of the object a driver names by its body's address.
    ///
    /// # Safety
    /// `body` is the address of a live object's body.
    unsafe fn header_of(body: *mut c_void) -> NonNull<Header> {
        // SAFETY: every body has its header right in front of it (`BODY_FOLLOWS_HEADER`), in the
        // same allocation.
        let header = unsafe { body.byte_sub(size_of::<Header>()) };
        // SAFETY: an address inside an allocation is not null.
        unsafe { NonNull::new_unchecked(header.cast()) }
    }

    /// Takes a new reference to the object at `body`.
    ///
    /// # Safety
    /// `body` is the address of a live object's body, and stays so during the call.
    pub unsafe fn from_body(body: *mut c_void) -> AnyObject {
        // SAFETY: the caller's promise.
        let header = unsafe { Self::header_of(body) };
        // SAFETY: the object is alive.
        let counters = unsafe { header.as_ref() };
        counters.pointers.fetch_add(1, Ordering::Relaxed);
        AnyObject(header)
    }

    /// The object's type.
    pub fn kind(&self) -> Kind {
        self.header().kind
    }

    /// The address drivers know the object by.
    pub fn body(&self) -> *mut c_void {
        // SAFETY: the body lies right behind the header, in the same allocation.
        unsafe { self.0.as_ptr().byte_add(size_of::<Header>()).cast() }
    }

    /// The reference as one of its own type, or itself back if it is of another.
    pub fn downcast<T: Object>(self) -> Result<ObjectRef<T>, AnyObject> {
        if self.kind() == T::KIND {
            Ok(ObjectRef {
                any: self,
                _body: std::marker::PhantomData,
            })
        } else {
            Err(self)
        }
    }

    /// Turns this reference into one that a driver holds and must give back with
    /// `ObDereferenceObject`. Returns the body's address.
    pub fn into_driver(self) -> *mut c_void {
        self.header().driver.fetch_add(1, Ordering::Relaxed);
        let body = self.body();
        std::mem::forget(self);
        body
    }

    /// Takes a driver's reference back; the counterpart of [`Self::into_driver`].
    ///
    /// # Safety
    /// `body` is the address of a live object's body on which a driver holds a reference, which
    /// this call ends.
    pub unsafe fn from_driver(body: *mut c_void) -> AnyObject {
        // SAFETY: the caller's promise.
        let header = unsafe { Self::header_of(body) };
        let object = AnyObject(header);
        object.header().driver.fetch_sub(1, Ordering::Relaxed);
        object
    }

    /// Lets go of this reference unless it is the last one, which is returned.
    pub fn release_unless_last(self) -> Option<AnyObject> {
        let less = |references: isize| (references > 1).then_some(references - 1);
        let released =
            self.header()
                .pointers
                .fetch_update(Ordering::Release, Ordering::Relaxed, less);
        match released {
            Ok(_) => {
                std::mem::forget(self);
                None
            }
            Err(_) => Some(self),
        }
    }

    /// All references to the object, at this moment.
    pub fn references(&self) -> isize {
        self.header().pointers.load(Ordering::Relaxed)
    }
}

impl Clone for AnyObject {
    fn clone(&self) -> Self {
        self.header().pointers.fetch_add(1, Ordering::Relaxed);
        AnyObject(self.0)
    }
}

impl Drop for AnyObject {
    fn drop(&mut self) {
        // Release orders this holder's use of the body before the drop of it by another thread;
        // the fence is the other half.
        if self.header().pointers.fetch_sub(1, Ordering::Release) == 1 {
            fence(Ordering::Acquire);
            let destroy = self.header().destroy;
            self.header().census.forget(self.0);
            // SAFETY: this was the last reference.
            unsafe { destroy(self.0) };
        }
    }
}

impl fmt::Debug for AnyObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {:p}", self.kind(), self.body())
    }
}

/// A reference to an object of a known type. Cloning takes a reference, dropping gives it back.
pub struct ObjectRef<T> {
    any: AnyObject,
    _body: std::marker::PhantomData<T>,
}

impl<T: Object> ObjectRef<T> {
    /// Makes an object; this is its first reference.
    pub fn new(census: &Arc<Census>, body: T) -> Self {
        let () = Block::<T>::BODY_FOLLOWS_HEADER;
        let block = Box::leak(Box::new(Block {
            header: Header {
                pointers: AtomicIsize::new(1),
                driver: AtomicIsize::new(0),
                kind: T::KIND,
                census: Arc::clone(census),
                describe: Block::<T>::describe,
                destroy: Block::<T>::destroy,
            },
            body,
        }));
        let header = NonNull::from(block).cast::<Header>();
        census.enter(header);
        ObjectRef {
            any: AnyObject(header),
            _body: std::marker::PhantomData,
        }
    }

    /// The address drivers know the object by.
    pub fn as_ptr(&self) -> *mut T {
        self.any.body().cast()
    }

    /// The reference without its type.
    pub fn into_any(self) -> AnyObject {
        self.any
    }

    /// As [`AnyObject::into_driver`].
    pub fn into_driver(self) -> *mut c_void {
        self.any.into_driver()
    }

    /// Takes a new reference to the object at `body`.
    ///
    /// # Safety
    /// `body` is the address of a live `T` made by [`ObjectRef::new`].
    pub unsafe fn from_body(body: *mut T) -> Self {
        // SAFETY: the caller's promise.
        let any = unsafe { AnyObject::from_body(body.cast()) };
        ObjectRef {
            any,
            _body: std::marker::PhantomData,
        }
    }
}

impl<T: Object> Deref for ObjectRef<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: this reference keeps the body alive, and its type was fixed by `new` or
        // checked by `downcast`.
        unsafe { &*self.as_ptr() }
    }
}

impl<T> Clone for ObjectRef<T> {
    fn clone(&self) -> Self {
        ObjectRef {
            any: self.any.clone(),
            _body: std::marker::PhantomData,
        }
    }
}

impl<T: Object> fmt::Debug for ObjectRef<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", T::KIND, self.describe())
    }
}

impl<T> PartialEq for ObjectRef<T> {
    /// Whether both refer to the same object.
    fn eq(&self, other: &Self) -> bool {
        ptr::addr_eq(self.any.0.as_ptr(), other.any.0.as_ptr())
    }
}

impl<T> Eq for ObjectRef<T> {}

/// An object that drivers hold references to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The object's type.
    pub kind: Kind,
    /// Its name in reports.
    pub name: String,
    /// How many references drivers hold. Below zero if they gave back more than they took.
    pub references: isize,
}

/// Every live object of one machine.
#[derive(Default)]
pub struct Census {
    live: Mutex<HashSet<NonNull<Header>>>,
}

// SAFETY: the census only keeps headers of live objects, which may be shared (see `AnyObject`).
unsafe impl Send for Census {}
// SAFETY: as above; the map is behind a mutex.
unsafe impl Sync for Census {}

impl Census {
    fn enter(&self, header: NonNull<Header>) {
        self.live.lock().unwrap().insert(header);
    }

    fn forget(&self, header: NonNull<Header>) {
        self.live.lock().unwrap().remove(&header);
    }

    /// The type of the object at `body`, and how many references drivers hold; `None` if there is
    /// no such object.
    pub(crate) fn known(&self, body: *mut c_void) -> Option<(Kind, isize)> {
        let header = body.wrapping_byte_sub(size_of::<Header>()).cast();
        let header = NonNull::new(header)?;
        let live = self.live.lock().unwrap();
        let header = live.get(&header)?;
        // SAFETY: as in `held_by_drivers`.
        let object = unsafe { header.as_ref() };
        Some((object.kind, object.driver.load(Ordering::Relaxed)))
    }

    /// The objects that drivers hold references to.
    pub fn held_by_drivers(&self) -> Vec<Held> {
        let live = self.live.lock().unwrap();
        let mut held = Vec::new();
        for header in live.iter() {
            // SAFETY: an object leaves the map, under its lock, before it is destroyed.
            let object = unsafe { header.as_ref() };
            let references = object.driver.load(Ordering::Relaxed);
            if references != 0 {
                // SAFETY: as above, and `describe` belongs to this header's own type.
                let name = unsafe { (object.describe)(*header) };
                held.push(Held {
                    kind: object.kind,
                    name,
                    references,
                });
            }
        }
        held.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
        held
    }

    /// How many objects of a type are alive.
    pub fn count(&self, kind: Kind) -> usize {
        let live = self.live.lock().unwrap();
        // SAFETY: as in `held_by_drivers`.
        live.iter()
            .filter(|header| unsafe { header.as_ref() }.kind == kind)
            .count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Probe(Arc<()>);

    impl Object for Probe {
        const KIND: Kind = Kind::Event;
        fn describe(&self) -> String {
            "probe".into()
        }
    }

    #[test]
    fn an_object_lives_until_its_last_reference_goes() {
        let census = Arc::new(Census::default());
        let alive = Arc::new(());
        let object = ObjectRef::new(&census, Probe(Arc::clone(&alive)));
        let body = object.clone().into_driver();
        drop(object);
        assert_eq!(Arc::strong_count(&alive), 2);
        // SAFETY: the driver's reference from above keeps it alive, and ends here.
        drop(unsafe { AnyObject::from_driver(body) });
        assert_eq!(Arc::strong_count(&alive), 1);
        assert_eq!(census.count(Kind::Event), 0);
    }

    #[test]
    fn a_reference_a_driver_forgot_is_named() {
        let census = Arc::new(Census::default());
        let object = ObjectRef::new(&census, Probe(Arc::new(())));
        let body = object.clone().into_driver();
        let expected = Held {
            kind: Kind::Event,
            name: "probe".into(),
            references: 1,
        };
        assert_eq!(census.held_by_drivers(), [expected]);
        assert_eq!(object.0.as_ref(), &());
        // SAFETY: the driver's reference from above.
        drop(unsafe { AnyObject::from_driver(body) });
        assert_eq!(census.held_by_drivers(), []);
    }
}
