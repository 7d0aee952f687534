//! Contexts: the driver's own memory on an object, with its clean-up and destroy callbacks.

use alloc::alloc::{Layout, alloc_zeroed, dealloc};
use core::ffi::c_void;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, Ordering};

use windows_sys::Win32::Foundation::{
    STATUS_INFO_LENGTH_MISMATCH, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER,
    STATUS_OBJECT_NAME_EXISTS,
};

use crate::kmdf::{
    PCWDF_OBJECT_CONTEXT_TYPE_INFO, PFN_WDF_OBJECT_CONTEXT, PWDF_OBJECT_ATTRIBUTES,
    WDF_OBJECT_ATTRIBUTES, WDF_OBJECT_CONTEXT_TYPE_INFO, WDFOBJECT, WdfExecutionLevelPassive,
};
use crate::nt::Error;

/// `WDF_OBJECT_ATTRIBUTES`, checked and without the driver's pointers to its own stack.
#[derive(Clone, Copy)]
pub(crate) struct Attributes {
    cleanup: PFN_WDF_OBJECT_CONTEXT,
    destroy: PFN_WDF_OBJECT_CONTEXT,
    /// Identity of the context's type; null for none.
    unique_type: PCWDF_OBJECT_CONTEXT_TYPE_INFO,
    context_size: usize,
    /// The parent the driver asked for; null for the default one.
    pub(crate) parent: WDFOBJECT,
    /// `WdfExecutionLevelPassive` was asked for.
    pub(crate) passive: bool,
}

// SAFETY: the type pointer is an identity, into the driver's image; the parent is a handle.
unsafe impl Send for Attributes {}
// SAFETY: as above.
unsafe impl Sync for Attributes {}

impl Attributes {
    /// `WDF_NO_OBJECT_ATTRIBUTES`.
    pub(crate) const NONE: Self = Self {
        cleanup: None,
        destroy: None,
        unique_type: ptr::null(),
        context_size: 0,
        parent: ptr::null_mut(),
        passive: false,
    };

    /// # Errors
    /// A structure of another size, or a context size below that of its type.
    ///
    /// # Safety
    /// The pointers are null or as the driver's headers make them.
    pub(crate) unsafe fn read(attributes: PWDF_OBJECT_ATTRIBUTES) -> Result<Self, Error> {
        // SAFETY: the caller's promise.
        let Some(attributes) = (unsafe { attributes.as_ref() }) else {
            return Ok(Self::NONE);
        };
        if attributes.Size as usize != size_of::<WDF_OBJECT_ATTRIBUTES>() {
            return Err(STATUS_INFO_LENGTH_MISMATCH);
        }
        // SAFETY: the caller's promise.
        let (unique_type, size) = match unsafe { attributes.ContextTypeInfo.as_ref() } {
            Some(info) => (unique(info), info.ContextSize),
            None => (ptr::null(), 0),
        };
        let context_size = match attributes.ContextSizeOverride {
            0 => size,
            _ if unique_type.is_null() => return Err(STATUS_INVALID_PARAMETER),
            larger if larger >= size => larger,
            _ => return Err(STATUS_INVALID_PARAMETER),
        };
        Ok(Self {
            cleanup: attributes.EvtCleanupCallback,
            destroy: attributes.EvtDestroyCallback,
            unique_type,
            context_size,
            parent: attributes.ParentObject,
            passive: attributes.ExecutionLevel == WdfExecutionLevelPassive,
        })
    }
}

fn unique(info: &WDF_OBJECT_CONTEXT_TYPE_INFO) -> PCWDF_OBJECT_CONTEXT_TYPE_INFO {
    match info.EvtDriverGetUniqueContextType {
        // SAFETY: the driver's own function, without parameters.
        Some(get) => unsafe { get() },
        None if info.UniqueType.is_null() => info,
        None => info.UniqueType,
    }
}

/// One context; its memory follows.
#[repr(C, align(16))]
struct Context {
    next: *mut Context,
    object: WDFOBJECT,
    attributes: Attributes,
}

impl Context {
    fn layout(size: usize) -> Result<Layout, Error> {
        let memory = Layout::from_size_align(size, align_of::<Self>());
        memory
            .and_then(|memory| Layout::new::<Self>().extend(memory))
            .map(|(layout, _)| layout)
            .map_err(|_| STATUS_INVALID_PARAMETER)
    }

    fn memory(this: *mut Self) -> *mut c_void {
        this.wrapping_add(1).cast()
    }
}

/// The contexts of an object, the latest first. One is added, at most, for each type; none goes
/// before the object does, so walking the list needs no lock.
#[derive(Default)]
pub(super) struct Contexts(AtomicPtr<Context>);

impl Contexts {
    /// The memory of the context, zeroed. Attributes that ask for nothing add nothing.
    ///
    /// # Errors
    /// `STATUS_OBJECT_NAME_EXISTS` with the memory of the one that is there.
    pub(super) fn add(
        &self,
        attributes: &Attributes,
        object: WDFOBJECT,
    ) -> Result<*mut c_void, (Error, *mut c_void)> {
        let wanted = attributes.unique_type;
        if wanted.is_null() && attributes.cleanup.is_none() && attributes.destroy.is_none() {
            return Ok(ptr::null_mut());
        }
        let layout =
            Context::layout(attributes.context_size).map_err(|error| (error, ptr::null_mut()))?;
        // SAFETY: the layout is not empty.
        let context = unsafe { alloc_zeroed(layout) }.cast::<Context>();
        if context.is_null() {
            return Err((STATUS_INSUFFICIENT_RESOURCES, ptr::null_mut()));
        }
        let attributes = *attributes;
        let mut first = self.0.load(Ordering::Acquire);
        loop {
            if let Some(existing) = find(first, wanted) {
                // SAFETY: allocated above with this layout, seen by nobody.
                unsafe { dealloc(context.cast(), layout) };
                return Err((
                    STATUS_OBJECT_NAME_EXISTS,
                    Context::memory(existing.as_ptr()),
                ));
            }
            // SAFETY: the memory is ours until the exchange below succeeds.
            unsafe {
                context.write(Context {
                    next: first,
                    object,
                    attributes,
                })
            };
            // Release pairs with the Acquire of `first` here and in `get`.
            match self
                .0
                .compare_exchange(first, context, Ordering::Release, Ordering::Acquire)
            {
                Ok(_) => return Ok(Context::memory(context)),
                Err(now) => first = now,
            }
        }
    }

    /// The memory of the context of this type, or null. The type is compared by its identity.
    ///
    /// # Safety
    /// The type info is the driver's own.
    pub(super) unsafe fn get(&self, info: PCWDF_OBJECT_CONTEXT_TYPE_INFO) -> *mut c_void {
        // SAFETY: the caller's promise.
        let Some(info) = (unsafe { info.as_ref() }) else {
            return ptr::null_mut();
        };
        find(self.0.load(Ordering::Acquire), unique(info))
            .map_or(ptr::null_mut(), |context| Context::memory(context.as_ptr()))
    }

    /// Calls every EvtCleanupCallback.
    pub(super) fn clean_up(&self, object: WDFOBJECT) {
        for attributes in self.iter() {
            if let Some(cleanup) = attributes.cleanup {
                // SAFETY: the driver's callback, with the handle it belongs to.
                unsafe { cleanup(object) };
            }
        }
    }

    /// Calls every EvtDestroyCallback. The memory goes with the object.
    pub(super) fn destroy(&self, object: WDFOBJECT) {
        for attributes in self.iter() {
            if let Some(destroy) = attributes.destroy {
                // SAFETY: the driver's callback, with the handle it belongs to.
                unsafe { destroy(object) };
            }
        }
    }

    fn iter(&self) -> impl Iterator<Item = &Attributes> {
        let mut next = self.0.load(Ordering::Acquire);
        core::iter::from_fn(move || {
            // SAFETY: a context in the list lives as long as the object.
            let context = unsafe { next.as_ref() }?;
            next = context.next;
            Some(&context.attributes)
        })
    }
}

impl Drop for Contexts {
    fn drop(&mut self) {
        let mut next = *self.0.get_mut();
        while let Some(context) = NonNull::new(next) {
            // SAFETY: nobody refers to the object any more, so the list is ours.
            let Context {
                next: after,
                attributes,
                ..
            } = unsafe { context.read() };
            next = after;
            if let Ok(layout) = Context::layout(attributes.context_size) {
                // SAFETY: allocated by `add` with this layout.
                unsafe { dealloc(context.as_ptr().cast(), layout) };
            }
        }
    }
}

fn find(first: *mut Context, wanted: PCWDF_OBJECT_CONTEXT_TYPE_INFO) -> Option<NonNull<Context>> {
    let mut next = first;
    while let Some(context) = NonNull::new(next) {
        // SAFETY: a context in the list lives as long as the object.
        let here = unsafe { context.as_ref() };
        if !wanted.is_null() && here.attributes.unique_type == wanted {
            return Some(context);
        }
        next = here.next;
    }
    None
}

/// The object whose context this memory is.
///
/// # Safety
/// `memory` was returned for a context of a live object.
pub(super) unsafe fn object_of(memory: *mut c_void) -> WDFOBJECT {
    let context = memory.cast::<Context>().wrapping_sub(1);
    // SAFETY: the caller's promise: a Context precedes the memory.
    unsafe { (*context).object }
}
