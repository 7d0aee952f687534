//! Handles as drivers make, use and close them.

use super::{close, held, here, is_of_system, open};
use crate::Current;
use crate::exports::exports;
use crate::ke::bug_check;
use crate::ob::{AnyObject, Object, ObjectType, security};
use std::ffi::c_void;
use windows_sys::Win32::Foundation::{
    NTSTATUS, STATUS_ACCESS_DENIED, STATUS_INVALID_HANDLE, STATUS_OBJECT_TYPE_MISMATCH,
    STATUS_SUCCESS,
};

exports! {
    PASSIVE_LEVEL: ObCloseHandle, ObReferenceObjectByHandle, ZwClose;
    APC_LEVEL: ObOpenObjectByPointer;
}

const KERNEL_MODE: u8 = 0;
/// `NtCurrentProcess` and `NtCurrentThread`: handles that everybody has.
const CURRENT_PROCESS: usize = -1_isize as usize;
const CURRENT_THREAD: usize = -2_isize as usize;

/// Whether a driver that wants an object of this type may have `object`.
///
/// # Safety
/// `wanted` is null, for any type, or what a type variable of this kernel holds.
unsafe fn suits(wanted: *const ObjectType, object: &AnyObject) -> bool {
    // SAFETY: the caller's promise.
    let wanted = unsafe { wanted.as_ref() };
    wanted.is_none_or(|wanted| wanted.kind() == object.kind())
}

/// IRQL ≤ APC_LEVEL. In kernel mode what is asked for is granted; in user mode the object's
/// descriptor decides.
unsafe extern "win64" fn ObOpenObjectByPointer(
    object: *mut c_void,
    attributes: u32,
    _passed_access_state: *const c_void,
    desired: u32,
    object_type: *const ObjectType,
    mode: u8,
    handle: *mut usize,
) -> NTSTATUS {
    // SAFETY: the driver passes an object that it holds.
    let object = unsafe { AnyObject::from_body(object) };
    // SAFETY: the driver passes null or what a type variable of this kernel holds.
    if !unsafe { suits(object_type, &object) } {
        return STATUS_OBJECT_TYPE_MISMATCH;
    }
    let token = Current::with(|current| current.thread.effective_token());
    let granted = match mode {
        KERNEL_MODE => Ok(security::specific(&object, desired)),
        _ => security::check(&object, &token, desired),
    };
    match granted.and_then(|granted| open(&object, attributes, granted)) {
        Ok(value) => {
            // SAFETY: the driver passes a place for the handle.
            unsafe { handle.write(value) };
            STATUS_SUCCESS
        }
        Err(status) => status,
    }
}

/// What `handle` leads to for a driver that asks in `mode`, and the access it was granted.
///
/// Driver Verifier stops the machine when a driver uses a program's handle in kernel mode, which
/// nobody holds rights against.
fn referenced(handle: usize, mode: u8) -> Result<(AnyObject, u32), NTSTATUS> {
    let thread = Current::with(|current| current.thread.clone());
    match handle {
        CURRENT_PROCESS => return Ok((thread.current_process().into_any(), u32::MAX)),
        CURRENT_THREAD => return Ok((thread.into_any(), u32::MAX)),
        _ => {}
    }
    if mode != KERNEL_MODE && is_of_system(handle) {
        return Err(STATUS_INVALID_HANDLE);
    }
    if mode == KERNEL_MODE && !is_of_system(handle) && !thread.is_system() {
        bug_check!(
            DRIVER_VERIFIER_DETECTED_VIOLATION,
            "{handle:#x}, a handle of {}, is used in kernel mode",
            thread.current_process().describe()
        );
    }
    held(handle)
}

/// IRQL = PASSIVE_LEVEL. Page "ObReferenceObjectByHandle". The reference is the driver's to give
/// back. In user mode the handle has to be the process' own, and to have been granted the rights.
unsafe extern "win64" fn ObReferenceObjectByHandle(
    handle: usize,
    desired: u32,
    object_type: *const ObjectType,
    mode: u8,
    object: *mut *mut c_void,
    information: *mut [u32; 2],
) -> NTSTATUS {
    let (found, access) = match referenced(handle, mode) {
        Ok(held) => held,
        Err(status) => return status,
    };
    // SAFETY: the driver passes null or what a type variable of this kernel holds.
    if !unsafe { suits(object_type, &found) } {
        return STATUS_OBJECT_TYPE_MISMATCH;
    }
    if mode != KERNEL_MODE && desired & !access != 0 {
        return STATUS_ACCESS_DENIED;
    }
    // SAFETY: the driver passes a place for the pointer.
    unsafe { object.write(found.into_driver()) };
    if !information.is_null() {
        // SAFETY: the driver passes an OBJECT_HANDLE_INFORMATION: attributes and access.
        unsafe { information.write([0, access]) };
    }
    STATUS_SUCCESS
}

/// IRQL = PASSIVE_LEVEL.
extern "win64" fn ObCloseHandle(handle: usize, mode: u8) -> NTSTATUS {
    if mode != KERNEL_MODE && is_of_system(handle) {
        return STATUS_INVALID_HANDLE;
    }
    ZwClose(handle)
}

/// IRQL = PASSIVE_LEVEL.
extern "win64" fn ZwClose(handle: usize) -> NTSTATUS {
    let (kernel, process) = here();
    close(&kernel, &process, handle)
}

#[cfg(test)]
mod tests {
    use super::super::{OBJ_KERNEL_HANDLE, object_of};
    use super::*;
    use crate::io::Client;
    use crate::ob::Kind;
    use crate::{Config, Kernel};
    use std::ptr;
    use windows_sys::Win32::System::Threading::{
        EVENT_MODIFY_STATE, SYNCHRONIZATION_SYNCHRONIZE as SYNCHRONIZE,
    };

    const USER_MODE: u8 = 1;

    /// Refers to `handle` as a driver would, and gives the reference back.
    fn reference(handle: usize, desired: u32, expected: &ObjectType, mode: u8) -> NTSTATUS {
        let (mut object, expected) = (ptr::null_mut(), ptr::from_ref(expected));
        let to = &raw mut object;
        // SAFETY: the type is one of this kernel, the place for the pointer a local.
        let status = unsafe {
            ObReferenceObjectByHandle(handle, desired, expected, mode, to, ptr::null_mut())
        };
        if status == STATUS_SUCCESS {
            // SAFETY: the reference that was just taken.
            drop(unsafe { AnyObject::from_driver(object) });
        }
        status
    }

    #[test]
    fn a_program_s_handle_brings_a_driver_no_further_than_the_program() {
        let kernel = Kernel::boot(Config::default());
        let client = Client::new(&kernel, kernel.add_process(Default::default()));
        let all = client.create_event().unwrap();
        let look = client.duplicate_handle(all, Some(SYNCHRONIZE), &client);
        let look = look.unwrap();
        let system = kernel.enter(client.process(), || {
            open(&client.process().clone().into_any(), OBJ_KERNEL_HANDLE, 1).unwrap()
        });
        let event = ObjectType::of(Kind::Event).unwrap();
        let process = ObjectType::of(Kind::Process).unwrap();
        let set = EVENT_MODIFY_STATE;
        let expected = [
            (all, set, event, STATUS_SUCCESS),
            (look, SYNCHRONIZE, event, STATUS_SUCCESS),
            (look, set, event, STATUS_ACCESS_DENIED),
            (all, set, process, STATUS_OBJECT_TYPE_MISMATCH),
            (all + 64, set, event, STATUS_INVALID_HANDLE),
            (0, set, event, STATUS_INVALID_HANDLE),
            (system, 1, process, STATUS_INVALID_HANDLE),
            (CURRENT_PROCESS, set, event, STATUS_OBJECT_TYPE_MISMATCH),
            (CURRENT_THREAD, set, event, STATUS_OBJECT_TYPE_MISMATCH),
            (CURRENT_PROCESS, set, process, STATUS_SUCCESS),
        ];
        kernel.enter(client.process(), || {
            for (handle, desired, of, status) in expected {
                let refused = reference(handle, desired, of, USER_MODE);
                assert_eq!(refused, status, "{handle:#x} for {desired:#x}");
            }
            assert_eq!(reference(system, 1, process, KERNEL_MODE), STATUS_SUCCESS);
            assert_eq!(ObCloseHandle(system, KERNEL_MODE), STATUS_SUCCESS);
        });
    }

    #[test]
    #[should_panic(expected = "is used in kernel mode")]
    fn a_driver_that_trusts_a_program_s_handle_is_stopped() {
        let kernel = Kernel::boot(Config::default());
        let client = Client::new(&kernel, kernel.add_process(Default::default()));
        let handle = client.create_event().unwrap();
        let _ = kernel.enter(client.process(), || referenced(handle, KERNEL_MODE));
    }

    #[test]
    fn a_kernel_handle_is_the_system_s_and_is_named_until_it_is_closed() {
        let kernel = Kernel::boot(Config::default());
        let system = &kernel.ps.system;
        let process = kernel.add_process(Default::default());
        let handle = kernel.enter(&process, || {
            open(&process.clone().into_any(), OBJ_KERNEL_HANDLE, 1).unwrap()
        });
        assert!(is_of_system(handle));
        assert_eq!(system.handles.open().len(), 1);
        kernel.enter(system, || {
            assert!(object_of(handle).is_ok());
            assert_eq!(ObCloseHandle(handle, 1), STATUS_INVALID_HANDLE);
            assert_eq!(ObCloseHandle(handle, KERNEL_MODE), STATUS_SUCCESS);
            assert_eq!(ZwClose(handle), STATUS_INVALID_HANDLE);
        });
        assert!(system.handles.open().is_empty());
    }
}
