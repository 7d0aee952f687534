//! Handles: what processes, and drivers in the system's name, hold objects by.

pub(crate) mod driver;
mod table;

pub use table::HandleTable;

use crate::ob::callback::Operation;
use crate::ob::{AnyObject, Object, ObjectRef};
use crate::ps::Process;
use crate::{Current, Kernel};
use std::sync::Arc;
use windows_sys::Win32::Foundation::{
    NTSTATUS, STATUS_ACCESS_DENIED, STATUS_INVALID_HANDLE, STATUS_OBJECT_TYPE_MISMATCH,
    STATUS_SUCCESS,
};

/// Handles of the System process bear these bits wherever they are used.
const KERNEL_HANDLE: usize = 0xffff_ffff_8000_0000;
const OBJ_KERNEL_HANDLE: u32 = 0x200;

/// The table that a handle of `process` is in, and its number there.
fn table<'a>(kernel: &'a Kernel, process: &'a Process, handle: usize) -> (&'a HandleTable, usize) {
    match is_of_system(handle) {
        true => (&kernel.ps.system.handles, handle & !KERNEL_HANDLE),
        false => (&process.handles, handle),
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

/// Is it a handle of the system? A program has no use of one.
pub(crate) fn is_of_system(handle: usize) -> bool {
    handle & KERNEL_HANDLE == KERNEL_HANDLE
}

/// Turns a handle of the system away that a program comes with.
pub(crate) fn refuse_system(handle: usize) -> Result<(), NTSTATUS> {
    match is_of_system(handle) {
        true => Err(STATUS_INVALID_HANDLE),
        false => Ok(()),
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

/// Closes a handle of `process`.
pub(crate) fn close(kernel: &Kernel, process: &Process, handle: usize) -> NTSTATUS {
    let (table, number) = table(kernel, process, handle);
    match table.remove(number) {
        Some(_object) => STATUS_SUCCESS,
        None => STATUS_INVALID_HANDLE,
    }
}
