//! Framework objects: a reference count, contexts, and a place in the tree.
//!
//! A handle is the address of the object's [`Header`]. Creation makes one reference, which belongs
//! to the parent (to the framework, for an object without one); deletion gives it up. A child holds
//! a reference to its parent, so a parent's memory goes after its children's.

mod api;
mod context;
mod list;
mod reference;
mod tree;

use alloc::boxed::Box;
use core::ffi::c_void;
use core::mem::offset_of;
use core::ops::Deref;
use core::ptr::NonNull;
use core::sync::atomic::AtomicU32;

use intrusive_collections::LinkedListAtomicLink;

use crate::kmdf::{WDF_INVALID_HANDLE, WDF_REQUIRED_PARAMETER_IS_NULL, WDFOBJECT};
use crate::nt::{self, Error, SpinLock};

pub(crate) use api::*;
pub(crate) use context::Attributes;
use context::Contexts;
pub(crate) use list::List;
pub(crate) use reference::{AnyRef, Ref};
use tree::Branch;
pub(crate) use tree::{adopt, delete, delete_root};

/// What an object is, and what its handle must be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Driver,
    Device,
    File,
    Queue,
    Request,
    Memory,
    WorkItem,
    Key,
    SpinLock,
    WaitLock,
    General,
}

/// What follows the header: the object's own state.
pub(crate) trait Body: Send + Sync + Sized + 'static {
    const KIND: Kind;

    /// Ends the object's work when it is deleted, after its children and before its clean-up
    /// callbacks. Others may still hold references.
    fn dispose(_: &Object<Self>) {}
}

/// An object as its creator sees it.
#[repr(C)]
pub(crate) struct Object<T> {
    header: Header,
    body: T,
}

/// What all objects share.
pub(crate) struct Header {
    magic: u32,
    class: &'static Class,
    references: AtomicU32,
    /// The whole object's address, with the right to all of it.
    this: NonNull<Header>,
    parent: Option<AnyRef>,
    branch: SpinLock<Branch>,
    contexts: Contexts,
    /// In the parent's list of children.
    sibling: LinkedListAtomicLink,
    /// In the one [`List`] that holds the object.
    entry: LinkedListAtomicLink,
}

// SAFETY: `this` is the header's own address; all else is Send.
unsafe impl Send for Header {}
// SAFETY: as above; what changes is atomic or behind a lock.
unsafe impl Sync for Header {}

/// What is particular to a type of object.
struct Class {
    kind: Kind,
    dispose: unsafe fn(&Header),
    free: unsafe fn(NonNull<Header>),
}

/// Marks memory as an object, against handles that are none.
const MAGIC: u32 = u32::from_le_bytes(*b"WdfO");

impl<T: Body> Object<T> {
    const CLASS: Class = Class {
        kind: T::KIND,
        dispose: |header| {
            // SAFETY: the class belongs to objects of type T.
            T::dispose(unsafe { header.object::<T>() })
        },
        free: |header| {
            // SAFETY: the object was allocated by `create` as this type, and nobody refers to it.
            drop(unsafe { Box::from_raw(header.cast::<Self>().as_ptr()) })
        },
    };

    /// Makes an object outside the tree; [`adopt`] places it. At most DISPATCH_LEVEL.
    pub(crate) fn create(
        attributes: &Attributes,
        parent: Option<AnyRef>,
        body: T,
    ) -> Result<Ref<T>, Error> {
        let header = Header {
            magic: MAGIC,
            class: const { &Self::CLASS },
            references: AtomicU32::new(1),
            this: NonNull::dangling(),
            parent,
            branch: SpinLock::new(Branch::default()),
            contexts: Contexts::default(),
            sibling: LinkedListAtomicLink::new(),
            entry: LinkedListAtomicLink::new(),
        };
        let memory = NonNull::from(Box::leak(nt::try_box(Self { header, body })?)).cast::<Header>();
        let this = memory.as_ptr().wrapping_byte_add(offset_of!(Header, this));
        // SAFETY: the object is ours alone so far.
        unsafe { this.cast::<NonNull<Header>>().write(memory) };
        // SAFETY: this is the first reference.
        let object = unsafe { Ref::<T>::from_raw(memory) };
        object
            .header
            .contexts
            .add(attributes, object.handle())
            .map_err(|(status, _)| status)?;
        Ok(object)
    }

    /// What the driver is given.
    pub(crate) fn handle(&self) -> WDFOBJECT {
        self.header.handle()
    }

    /// One more reference.
    pub(crate) fn reference(&self) -> Ref<T> {
        self.header.reference().typed()
    }

    /// One more reference, to anything.
    pub(crate) fn any(&self) -> AnyRef {
        self.header.reference()
    }

    pub(crate) fn header(&self) -> &Header {
        &self.header
    }
}

impl<T> Deref for Object<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.body
    }
}

impl Header {
    pub(crate) fn kind(&self) -> Kind {
        self.class.kind
    }

    pub(crate) fn handle(&self) -> WDFOBJECT {
        self.this.as_ptr().cast()
    }

    /// The address of the first reference.
    pub(crate) fn this(&self) -> NonNull<Header> {
        self.this
    }

    pub(crate) fn parent(&self) -> Option<&Header> {
        self.parent.as_deref()
    }

    /// The object as a `T`, if it is one.
    pub(crate) fn downcast<T: Body>(&self) -> Option<&Object<T>> {
        // SAFETY: the kind says so.
        (self.kind() == T::KIND).then(|| unsafe { self.object() })
    }

    /// The object's nearest ancestor of a type, itself included.
    pub(crate) fn ancestor<T: Body>(&self) -> Option<&Object<T>> {
        core::iter::successors(Some(self), |here| here.parent()).find_map(Header::downcast)
    }

    /// # Safety
    /// The object is a `T`.
    unsafe fn object<T: Body>(&self) -> &Object<T> {
        // SAFETY: the caller's promise; `this` has the right to the whole object.
        unsafe { self.this.cast::<Object<T>>().as_ref() }
    }
}

/// The object behind a handle the driver passed. A null handle, or one of another type, is a bug
/// check, as in KMDF.
///
/// # Safety
/// A handle that is not null points to readable memory, and if it is an object the driver's
/// reference keeps it alive for `'a`.
pub(crate) unsafe fn object<'a, T: Body>(handle: WDFOBJECT) -> &'a Object<T> {
    // SAFETY: the caller's promise.
    let header = unsafe { header(handle) };
    header
        .downcast()
        .unwrap_or_else(|| invalid_handle(handle, T::KIND as usize))
}

/// The object behind a handle of any type.
///
/// # Safety
/// As for [`object`].
pub(crate) unsafe fn header<'a>(handle: WDFOBJECT) -> &'a Header {
    let Some(pointer) = NonNull::new(handle.cast::<Header>()) else {
        nt::bug_check(WDF_REQUIRED_PARAMETER_IS_NULL as usize, 0, 0, 0)
    };
    let magic = pointer
        .as_ptr()
        .wrapping_byte_add(offset_of!(Header, magic));
    // SAFETY: the caller's promise: it can be read.
    if unsafe { magic.cast::<u32>().read() } != MAGIC {
        invalid_handle(handle, usize::MAX);
    }
    // SAFETY: it is an object, alive by the caller's promise.
    unsafe { pointer.as_ref() }
}

fn invalid_handle(handle: *mut c_void, wanted: usize) -> ! {
    nt::bug_check(WDF_INVALID_HANDLE as usize, handle as usize, wanted, 0)
}
