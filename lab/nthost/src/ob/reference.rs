//! References as drivers take and give them back.

use std::ffi::c_void;

use crate::exports::exports;
use crate::ob::AnyObject;

exports! {
    DISPATCH_LEVEL: ObfReferenceObject, ObfDereferenceObject, ObDereferenceObjectDeferDelete;
}

/// `ObfReferenceObject`, IRQL ≤ DISPATCH_LEVEL. Returns the new reference count.
unsafe extern "win64" fn ObfReferenceObject(object: *mut c_void) -> isize {
    // SAFETY: the driver passes an object it was given.
    let object = unsafe { AnyObject::from_body(object) };
    let references = object.references();
    object.into_driver();
    references
}

/// `ObfDereferenceObject`, IRQL ≤ DISPATCH_LEVEL. Returns the new reference count.
///
/// N.B. Windows asks for PASSIVE_LEVEL only if the last reference of a type whose deletion needs
/// it goes here; bodies of the model can be dropped at any IRQL.
unsafe extern "win64" fn ObfDereferenceObject(object: *mut c_void) -> isize {
    // SAFETY: the driver passes an object it holds a reference to, and gives that up.
    let object = unsafe { AnyObject::from_driver(object) };
    object.references() - 1
}

/// `ObDereferenceObjectDeferDelete`, IRQL ≤ DISPATCH_LEVEL.
unsafe extern "win64" fn ObDereferenceObjectDeferDelete(object: *mut c_void) {
    // SAFETY: as for `ObfDereferenceObject`.
    drop(unsafe { AnyObject::from_driver(object) });
}
