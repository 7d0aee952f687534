//! References to objects.

use crate::nt::check;
use core::ffi::c_void;
use core::ptr::{self, NonNull};
use ntwatch_engine::facts::Object;
use wdk_sys::ntddk::{ObReferenceObjectByHandle, ObfDereferenceObject};
use wdk_sys::{HANDLE, KPROCESSOR_MODE, NTSTATUS, POBJECT_TYPE, STATUS_INVALID_HANDLE};

/// Gives back a reference. Page "ObDereferenceObject". IRQL = PASSIVE_LEVEL, as it may be the last
/// one.
///
/// # Safety
/// `object` comes from a function here that takes a counted reference, and was not given back
/// before.
pub(crate) unsafe fn release(object: Object) {
    let address = ptr::with_exposed_provenance_mut(object.0 as usize);
    // SAFETY: the reference was taken, and is given back here, as the caller promises.
    unsafe { ObfDereferenceObject(address) };
}

/// An object that this value holds a reference to.
pub(super) struct HeldObject(NonNull<c_void>);

// SAFETY: a counted reference belongs to no thread.
unsafe impl Send for HeldObject {}
// SAFETY: shared, it gives out an address and no more.
unsafe impl Sync for HeldObject {}

impl HeldObject {
    /// The object of a handle that has `access`. Page "ObReferenceObjectByHandle".
    /// IRQL = PASSIVE_LEVEL; for a user handle in a thread of the process whose handle it is.
    ///
    /// # Safety
    /// `mode` is `UserMode`, or the handle is a kernel handle that the caller knows to be one.
    /// `object_type` is a type, or null for a handle whose type the caller knows.
    pub(super) unsafe fn by_handle(
        handle: HANDLE,
        access: u32,
        object_type: POBJECT_TYPE,
        mode: KPROCESSOR_MODE,
    ) -> Result<Self, NTSTATUS> {
        let mut object = ptr::null_mut();
        // SAFETY: any handle may be asked about in user mode's name, and the caller answers for
        // others; `object` is ours to write.
        check(unsafe {
            ObReferenceObjectByHandle(
                handle,
                access,
                object_type,
                mode,
                &raw mut object,
                ptr::null_mut(),
            )
        })?;
        NonNull::new(object).map(Self).ok_or(STATUS_INVALID_HANDLE)
    }

    pub(super) const fn as_ptr(&self) -> *mut c_void {
        self.0.as_ptr()
    }
}

impl Drop for HeldObject {
    /// IRQL = PASSIVE_LEVEL, as it may be the last one.
    fn drop(&mut self) {
        // SAFETY: the reference that `by_handle` took.
        unsafe { ObfDereferenceObject(self.as_ptr()) };
    }
}
