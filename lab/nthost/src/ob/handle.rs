//! Handles: what processes, and drivers in the system's name, hold objects by.

use crate::exports::exports;
use crate::ke::bug_check;
use crate::ob::callback::Operation;
use crate::ob::{AnyObject, Object, ObjectRef, ObjectType, security};
use crate::ps::Process;
use crate::{Current, Kernel};
use std::ffi::c_void;
use std::fmt;
use std::sync::{Arc, Mutex};
use windows_sys::Win32::Foundation::{
    NTSTATUS, STATUS_ACCESS_DENIED, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_HANDLE,
    STATUS_OBJECT_TYPE_MISMATCH, STATUS_SUCCESS,
};

exports! {
    PASSIVE_LEVEL: ObCloseHandle, ObReferenceObjectByHandle, ZwClose;
    APC_LEVEL: ObOpenObjectByPointer;
}

/// Handles of the System process bear these bits wherever they are used.
const KERNEL_HANDLE: usize = 0xffff_ffff_8000_0000;
const OBJ_KERNEL_HANDLE: u32 = 0x200;
const KERNEL_MODE: u8 = 0;
/// `NtCurrentProcess` and `NtCurrentThread`: handles that everybody has.
const CURRENT_PROCESS: usize = -1_isize as usize;
const CURRENT_THREAD: usize = -2_isize as usize;

/// The open handles of one process.
#[derive(Default)]
pub struct HandleTable(Mutex<State>);

#[derive(Default)]
struct State {
    entries: Vec<Option<Entry>>,
    /// How many there can be, if that is limited.
    limit: Option<usize>,
}

struct Entry {
    object: AnyObject,
    access: u32,
}

impl fmt::Debug for HandleTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.open()).finish()
    }
}

impl HandleTable {
    /// Limits the table to `limit` handles. Those beyond it that are open stay so.
    pub fn set_limit(&self, limit: usize) {
        self.0.lock().unwrap().limit = Some(limit);
    }

    /// Makes a handle: a multiple of four, the lowest that is free.
    ///
    /// # Errors
    /// `STATUS_INSUFFICIENT_RESOURCES` when the table is full.
    pub(crate) fn insert(&self, object: AnyObject, access: u32) -> Result<usize, NTSTATUS> {
        let mut state = self.0.lock().unwrap();
        let free = state.entries.iter().position(Option::is_none);
        let index = free.unwrap_or(state.entries.len());
        if state.limit.is_some_and(|limit| index >= limit) {
            return Err(STATUS_INSUFFICIENT_RESOURCES);
        }
        if free.is_none() {
            state.entries.push(None);
        }
        state.entries[index] = Some(Entry { object, access });
        Ok((index + 1) * 4)
    }

    /// The object behind a handle, and the access it was granted.
    pub(crate) fn get(&self, handle: usize) -> Option<(AnyObject, u32)> {
        let state = self.0.lock().unwrap();
        let entry = state.entries.get(index(handle)?)?.as_ref()?;
        Some((entry.object.clone(), entry.access))
    }

    /// Takes a handle out.
    pub(crate) fn remove(&self, handle: usize) -> Option<AnyObject> {
        let mut state = self.0.lock().unwrap();
        let entry = state.entries.get_mut(index(handle)?)?.take()?;
        Some(entry.object)
    }

    /// Takes all handles out.
    pub(crate) fn close_all(&self) {
        let entries = std::mem::take(&mut self.0.lock().unwrap().entries);
        // The objects go without the lock.
        drop(entries);
    }

    /// Each open handle by its number and what it leads to.
    pub fn open(&self) -> Vec<String> {
        let state = self.0.lock().unwrap();
        let open = state.entries.iter().enumerate();
        open.filter_map(|(index, entry)| {
            let object = &entry.as_ref()?.object;
            Some(format!("{:#x} to {object:?}", (index + 1) * 4))
        })
        .collect()
    }
}

fn index(handle: usize) -> Option<usize> {
    (handle / 4).checked_sub(1)
}

/// The table that a handle of `process` is in, and its number there.
fn table<'a>(kernel: &'a Kernel, process: &'a Process, handle: usize) -> (&'a HandleTable, usize) {
    match handle & KERNEL_HANDLE {
        KERNEL_HANDLE => (&kernel.ps.system.handles, handle & !KERNEL_HANDLE),
        _ => (&process.handles, handle),
    }
}

/// The object that a handle of `process` leads to, and the access it was granted.
pub(crate) fn held_by(
    kernel: &Kernel,
    process: &Process,
    handle: usize,
) -> Result<(AnyObject, u32), NTSTATUS> {
    let (table, number) = table(kernel, process, handle);
    table.get(number).ok_or(STATUS_INVALID_HANDLE)
}

/// Turns a handle of the system away, as it is when a program comes with it.
pub(crate) fn refuse_system(handle: usize) -> Result<(), NTSTATUS> {
    match handle & KERNEL_HANDLE {
        KERNEL_HANDLE => Err(STATUS_INVALID_HANDLE),
        _ => Ok(()),
    }
}

/// What a program's handle leads to, if that is of this type and the handle was granted `access`.
pub(crate) fn user_object<T: Object>(
    kernel: &Kernel,
    process: &Process,
    handle: usize,
    access: u32,
) -> Result<ObjectRef<T>, NTSTATUS> {
    refuse_system(handle)?;
    let (object, granted) = held_by(kernel, process, handle)?;
    let object = object.downcast().map_err(|_| STATUS_OBJECT_TYPE_MISMATCH)?;
    match access & !granted {
        0 => Ok(object),
        _ => Err(STATUS_ACCESS_DENIED),
    }
}

/// The machine, and the process whose handles are the current ones.
fn here() -> (Arc<Kernel>, ObjectRef<Process>) {
    Current::with(|current| {
        let kernel = Arc::clone(&current.kernel);
        (kernel, current.thread.current_process())
    })
}

/// What a driver's handle leads to, and the access it was granted.
pub(crate) fn held(handle: usize) -> Result<(AnyObject, u32), NTSTATUS> {
    let (kernel, process) = here();
    held_by(&kernel, &process, handle)
}

/// The object that a driver's handle leads to.
pub(crate) fn object_of(handle: usize) -> Result<AnyObject, NTSTATUS> {
    held(handle).map(|(object, _)| object)
}

/// The same, if it is of this type.
pub(crate) fn typed_object_of<T: Object>(handle: usize) -> Result<ObjectRef<T>, NTSTATUS> {
    let object = object_of(handle)?;
    object.downcast().map_err(|_| STATUS_OBJECT_TYPE_MISMATCH)
}

/// Whether a driver that wants an object of this type may have `object`.
///
/// # Safety
/// `wanted` is null, for any type, or what a type variable of this kernel holds.
unsafe fn suits(wanted: *const ObjectType, object: &AnyObject) -> bool {
    // SAFETY: the caller's promise.
    let wanted = unsafe { wanted.as_ref() };
    wanted.is_none_or(|wanted| wanted.kind() == object.kind())
}

/// Makes a handle of the system if `operation` is for that, else of `process`, with the access
/// that the callbacks leave.
///
/// # Errors
/// `STATUS_INSUFFICIENT_RESOURCES` when the table is full.
pub(crate) fn make(
    kernel: &Kernel,
    process: &Process,
    operation: &Operation<'_>,
) -> Result<usize, NTSTATUS> {
    kernel.ob.around(operation, |access| {
        let object = operation.object.clone();
        if operation.kernel_handle {
            let made = kernel.ps.system.handles.insert(object, access);
            made.map(|handle| handle | KERNEL_HANDLE)
        } else {
            process.handles.insert(object, access)
        }
    })
}

/// A new handle for a driver, of the system if `attributes` ask for that, else of the current
/// process.
///
/// # Errors
/// As for [`make`].
pub(crate) fn open(object: &AnyObject, attributes: u32, access: u32) -> Result<usize, NTSTATUS> {
    let (kernel, process) = here();
    let operation = Operation {
        object,
        duplicate: None,
        kernel_handle: attributes & OBJ_KERNEL_HANDLE != 0,
        original: access,
        by_driver: true,
    };
    make(&kernel, &process, &operation)
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
/// A driver that says in kernel mode what a program told it trusts the program: Driver Verifier
/// stops the machine then.
fn referenced(handle: usize, mode: u8) -> Result<(AnyObject, u32), NTSTATUS> {
    let thread = Current::with(|current| current.thread.clone());
    match handle {
        CURRENT_PROCESS => return Ok((thread.current_process().into_any(), u32::MAX)),
        CURRENT_THREAD => return Ok((thread.into_any(), u32::MAX)),
        _ => {}
    }
    let is_system = handle & KERNEL_HANDLE == KERNEL_HANDLE;
    if mode != KERNEL_MODE {
        refuse_system(handle)?;
    } else if !is_system && !thread.is_system() {
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
    if handle & KERNEL_HANDLE == KERNEL_HANDLE && mode != KERNEL_MODE {
        return STATUS_INVALID_HANDLE;
    }
    ZwClose(handle)
}

/// IRQL = PASSIVE_LEVEL.
extern "win64" fn ZwClose(handle: usize) -> NTSTATUS {
    let (kernel, process) = here();
    close(&kernel, &process, handle)
}

/// Closes a handle of `process`.
pub(crate) fn close(kernel: &Kernel, process: &Process, handle: usize) -> NTSTATUS {
    let (table, number) = table(kernel, process, handle);
    match table.remove(number) {
        Some(_object) => STATUS_SUCCESS,
        None => STATUS_INVALID_HANDLE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;
    use crate::io::Client;
    use crate::ob::Kind;
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
        assert_eq!(handle & KERNEL_HANDLE, KERNEL_HANDLE);
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
