//! References to objects.

use core::ptr;
use ntwatch_engine::facts::Object;
use wdk_sys::ntddk::ObfDereferenceObject;

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
