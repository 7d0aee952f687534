//! How drivers register callbacks.

use super::altitude::Altitude;
use super::driver::{DriverCallbacks, Entry, PostOperation, PreOperation};
use super::{Callee, rights};
use crate::exports::exports;
use crate::ob::ObjectType;
use crate::rtl::text;
use crate::{Current, Kernel};
use std::ffi::c_void;
use std::mem::transmute;
use std::slice;
use std::sync::Arc;
use windows_sys::Wdk::System::SystemServices::{
    OB_CALLBACK_REGISTRATION, OB_FLT_REGISTRATION_VERSION, OB_OPERATION_HANDLE_CREATE,
    OB_OPERATION_HANDLE_DUPLICATE, OB_OPERATION_REGISTRATION, POB_POST_OPERATION_CALLBACK,
    POB_PRE_OPERATION_CALLBACK,
};
use windows_sys::Win32::Foundation::{
    NTSTATUS, STATUS_ACCESS_DENIED, STATUS_FLT_INSTANCE_ALTITUDE_COLLISION,
    STATUS_INVALID_PARAMETER, STATUS_SUCCESS,
};

exports! {
    HIGH_LEVEL: ObGetFilterVersion;
    APC_LEVEL: ObRegisterCallbacks, ObUnRegisterCallbacks;
}

/// IRQL ≤ APC_LEVEL. Page "ObRegisterCallbacks".
///
/// N.B. The model looks at all that is registered before it looks at altitudes; the page has no
/// order of errors.
unsafe extern "win64" fn ObRegisterCallbacks(
    registration: *const OB_CALLBACK_REGISTRATION,
    handle: *mut *mut c_void,
) -> NTSTATUS {
    let kernel = Current::with(|current| Arc::clone(&current.kernel));
    // SAFETY: the driver passes a valid registration.
    let registration = unsafe { &*registration };
    // SAFETY: as above.
    let (altitude, callbacks) = match unsafe { read(&kernel, registration) } {
        Ok(read) => read,
        Err(status) => return status,
    };
    match kernel.ob.add(altitude, Callee::Driver(callbacks)) {
        Ok(registration) => {
            // SAFETY: the driver passes a place for the handle.
            unsafe { handle.write(Arc::as_ptr(&registration).cast_mut().cast()) };
            STATUS_SUCCESS
        }
        Err(_) => STATUS_FLT_INSTANCE_ALTITUDE_COLLISION,
    }
}

/// IRQL ≤ APC_LEVEL. Returns when none of the callbacks is running any more.
extern "win64" fn ObUnRegisterCallbacks(handle: *mut c_void) {
    let kernel = Current::with(|current| Arc::clone(&current.kernel));
    assert!(
        kernel.ob.remove(handle as usize),
        "callbacks are unregistered that are not registered"
    );
}

/// Any IRQL.
extern "win64" fn ObGetFilterVersion() -> u16 {
    OB_FLT_REGISTRATION_VERSION as u16
}

/// Reads and checks a registration.
///
/// # Safety
/// Its altitude is a valid string, and it has the operations that it says.
unsafe fn read(
    kernel: &Kernel,
    registration: &OB_CALLBACK_REGISTRATION,
) -> Result<(Altitude, DriverCallbacks), NTSTATUS> {
    let count = usize::from(registration.OperationRegistrationCount);
    let operations = registration.OperationRegistration;
    let version = u32::from(registration.Version);
    if version != OB_FLT_REGISTRATION_VERSION || count == 0 || operations.is_null() {
        return Err(STATUS_INVALID_PARAMETER);
    }
    // SAFETY: the caller's promise.
    let altitude = unsafe { text(&raw const registration.Altitude) };
    let altitude = altitude.parse().map_err(|_| STATUS_INVALID_PARAMETER)?;
    // SAFETY: the caller's promise; not null.
    let operations = unsafe { slice::from_raw_parts(operations, count) };
    let entry = |operation: &OB_OPERATION_REGISTRATION| {
        // SAFETY: the caller's promise.
        let entry = unsafe { read_entry(operation, registration.RegistrationContext) }?;
        let signed = |routine: usize| {
            let image = kernel.modules.find(routine);
            image.is_some_and(|image| image.force_integrity())
        };
        let routines = [
            entry.pre.map(|pre| pre as usize),
            entry.post.map(|post| post as usize),
        ];
        if !routines.into_iter().flatten().all(signed) {
            return Err(STATUS_ACCESS_DENIED);
        }
        Ok(entry)
    };
    let entries = operations.iter().map(entry).collect::<Result<_, _>>()?;
    Ok((altitude, DriverCallbacks { entries }))
}

/// # Safety
/// The operation names a type by null or the address of a type variable, and its routines are of
/// their types or null.
unsafe fn read_entry(
    operation: &OB_OPERATION_REGISTRATION,
    context: *mut c_void,
) -> Result<Entry, NTSTATUS> {
    const KNOWN: u32 = OB_OPERATION_HANDLE_CREATE | OB_OPERATION_HANDLE_DUPLICATE;
    let operations = operation.Operations;
    let variable: *const *const ObjectType = operation.ObjectType.cast();
    if variable.is_null() || operations == 0 || operations & !KNOWN != 0 {
        return Err(STATUS_INVALID_PARAMETER);
    }
    // SAFETY: the caller's promise; not null.
    let object_type = unsafe { *variable };
    // SAFETY: what a type variable holds is the address of a type.
    let kind = unsafe { &*object_type }.kind();
    // SAFETY: both are null or the address of a Windows routine; windows-sys' type has this
    // host's calling convention.
    let pre = unsafe {
        transmute::<POB_PRE_OPERATION_CALLBACK, Option<PreOperation>>(operation.PreOperation)
    };
    // SAFETY: as above.
    let post = unsafe {
        transmute::<POB_POST_OPERATION_CALLBACK, Option<PostOperation>>(operation.PostOperation)
    };
    if !rights::supports_callbacks(kind) || (pre.is_none() && post.is_none()) {
        return Err(STATUS_INVALID_PARAMETER);
    }
    Ok(Entry {
        context: context as usize,
        kind,
        operations,
        pre,
        post,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;
    use crate::exports;
    use crate::rtl::NtString;
    use std::ptr;
    use windows_sys::Wdk::Foundation::POBJECT_TYPE;
    use windows_sys::Wdk::System::SystemServices::{
        OB_POST_OPERATION_INFORMATION, OB_PRE_OPERATION_INFORMATION,
    };

    unsafe extern "system" fn pre(_: *const c_void, _: *mut OB_PRE_OPERATION_INFORMATION) -> i32 {
        0
    }
    unsafe extern "system" fn post(_: *const c_void, _: *const OB_POST_OPERATION_INFORMATION) {}

    /// Where drivers find a type.
    fn variable(name: &str) -> *mut POBJECT_TYPE {
        let export = exports::find(name).expect("it is exported");
        export.address.cast_mut().cast()
    }

    /// What the kernel says to this registration, changed by `change`.
    fn status(
        kernel: &Arc<Kernel>,
        change: impl FnOnce(&mut OB_CALLBACK_REGISTRATION, &mut OB_OPERATION_REGISTRATION),
    ) -> NTSTATUS {
        let altitude = NtString::from("321000");
        let mut operation = OB_OPERATION_REGISTRATION {
            ObjectType: variable("PsProcessType"),
            Operations: OB_OPERATION_HANDLE_CREATE,
            PreOperation: Some(pre),
            PostOperation: Some(post),
        };
        let mut registration = OB_CALLBACK_REGISTRATION {
            Version: ObGetFilterVersion(),
            OperationRegistrationCount: 1,
            Altitude: altitude.as_nt(),
            ..OB_CALLBACK_REGISTRATION::default()
        };
        change(&mut registration, &mut operation);
        registration.OperationRegistration = &raw mut operation;
        let mut handle = ptr::null_mut();
        kernel.enter(&kernel.ps.system, || {
            // SAFETY: a valid registration, and a local.
            unsafe { ObRegisterCallbacks(&raw const registration, &raw mut handle) }
        })
    }

    #[test]
    fn a_registration_that_is_wrong_is_refused_and_so_is_one_outside_of_a_driver() {
        let kernel = Kernel::boot(Config::default());
        assert_eq!(status(&kernel, |_, _| {}), STATUS_ACCESS_DENIED);
        let word = NtString::from("high");
        type Change<'a> = &'a dyn Fn(&mut OB_CALLBACK_REGISTRATION, &mut OB_OPERATION_REGISTRATION);
        let wrong: [Change<'_>; 7] = [
            &|registration, _| registration.Version = 0x200,
            &|registration, _| registration.OperationRegistrationCount = 0,
            &|registration, _| registration.Altitude = word.as_nt(),
            &|_, operation| operation.ObjectType = ptr::null_mut(),
            &|_, operation| operation.ObjectType = variable("SeTokenObjectType"),
            &|_, operation| operation.Operations = 4,
            &|_, operation| (operation.PreOperation, operation.PostOperation) = (None, None),
        ];
        for (index, wrong) in wrong.iter().enumerate() {
            let refused = status(&kernel, wrong);
            assert_eq!(refused, STATUS_INVALID_PARAMETER, "the wrong thing {index}");
        }
        assert!(kernel.ob.registered().is_empty());
    }

    #[test]
    fn two_drivers_cannot_have_one_altitude_however_it_is_written() {
        let kernel = Kernel::boot(Config::default());
        let add = |altitude: &str| {
            let entries = Vec::new();
            let callbacks = Callee::Driver(DriverCallbacks { entries });
            kernel.ob.add(altitude.parse().unwrap(), callbacks).is_ok()
        };
        assert!(add("321000.1"));
        assert!(!add("0321000.10"));
        assert!(add("321000"));
    }
}
