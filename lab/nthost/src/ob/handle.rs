//! Handles: what processes, and drivers in the system's name, hold objects by.

use crate::Current;
use crate::exports::exports;
use crate::ob::{AnyObject, Object, ObjectRef, ObjectType};
use std::ffi::c_void;
use std::fmt;
use std::sync::Mutex;
use windows_sys::Win32::Foundation::{
    NTSTATUS, STATUS_INVALID_HANDLE, STATUS_OBJECT_TYPE_MISMATCH, STATUS_SUCCESS,
};

exports! {
    PASSIVE_LEVEL: ObCloseHandle, ObReferenceObjectByHandle, ZwClose;
    APC_LEVEL: ObOpenObjectByPointer;
}

/// Handles of the System process bear these bits wherever they are used.
const KERNEL_HANDLE: usize = 0xffff_ffff_8000_0000;
const OBJ_KERNEL_HANDLE: u32 = 0x200;
const KERNEL_MODE: u8 = 0;

/// The open handles of one process.
#[derive(Default)]
pub struct HandleTable(Mutex<Vec<Option<Entry>>>);

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
    /// Makes a handle: a multiple of four, the lowest that is free.
    pub(crate) fn insert(&self, object: AnyObject, access: u32) -> usize {
        let mut entries = self.0.lock().unwrap();
        let free = entries.iter().position(Option::is_none);
        let index = free.unwrap_or(entries.len());
        if free.is_none() {
            entries.push(None);
        }
        entries[index] = Some(Entry { object, access });
        (index + 1) * 4
    }

    /// The object behind a handle, and the access it was granted.
    pub(crate) fn get(&self, handle: usize) -> Option<(AnyObject, u32)> {
        let entries = self.0.lock().unwrap();
        let entry = entries.get(index(handle)?)?.as_ref()?;
        Some((entry.object.clone(), entry.access))
    }

    /// Takes a handle out.
    pub(crate) fn remove(&self, handle: usize) -> Option<AnyObject> {
        let mut entries = self.0.lock().unwrap();
        let entry = entries.get_mut(index(handle)?)?.take()?;
        Some(entry.object)
    }

    /// Takes all handles out.
    pub(crate) fn close_all(&self) {
        let entries = std::mem::take(&mut *self.0.lock().unwrap());
        // The objects go without the lock.
        drop(entries);
    }

    /// Each open handle by its number and what it leads to.
    pub fn open(&self) -> Vec<String> {
        let entries = self.0.lock().unwrap();
        let open = entries.iter().enumerate();
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

/// Runs `body` on the table that `handle` belongs to, and the handle's number in it.
fn table<R>(handle: usize, body: impl FnOnce(&HandleTable, usize) -> R) -> R {
    Current::with(|current| match handle & KERNEL_HANDLE {
        KERNEL_HANDLE => body(&current.kernel.ps.system.handles, handle & !KERNEL_HANDLE),
        _ => body(&current.thread.current_process().handles, handle),
    })
}

/// The object that a driver's handle leads to.
pub(crate) fn object_of(handle: usize) -> Result<AnyObject, NTSTATUS> {
    table(handle, |table, number| table.get(number))
        .map(|(object, _)| object)
        .ok_or(STATUS_INVALID_HANDLE)
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

/// A new handle, for the system if `attributes` ask for that, else for the current process.
pub(crate) fn open(object: AnyObject, attributes: u32, access: u32) -> usize {
    Current::with(|current| {
        let system = &current.kernel.ps.system;
        match attributes & OBJ_KERNEL_HANDLE {
            0 => current
                .thread
                .current_process()
                .handles
                .insert(object, access),
            _ => system.handles.insert(object, access) | KERNEL_HANDLE,
        }
    })
}

/// IRQL ≤ APC_LEVEL.
///
/// N.B. The model grants what is asked: drivers open by pointer in kernel mode.
unsafe extern "win64" fn ObOpenObjectByPointer(
    object: *mut c_void,
    attributes: u32,
    _passed_access_state: *const c_void,
    desired: u32,
    object_type: *const ObjectType,
    _mode: u8,
    handle: *mut usize,
) -> NTSTATUS {
    // SAFETY: the driver passes an object that it holds.
    let object = unsafe { AnyObject::from_body(object) };
    // SAFETY: the driver passes null or what a type variable of this kernel holds.
    if !unsafe { suits(object_type, &object) } {
        return STATUS_OBJECT_TYPE_MISMATCH;
    }
    let value = open(object, attributes, desired);
    // SAFETY: the driver passes a place for the handle.
    unsafe { handle.write(value) };
    STATUS_SUCCESS
}

/// IRQL = PASSIVE_LEVEL. The reference is the driver's to give back.
unsafe extern "win64" fn ObReferenceObjectByHandle(
    handle: usize,
    _desired: u32,
    object_type: *const ObjectType,
    _mode: u8,
    object: *mut *mut c_void,
    information: *mut [u32; 2],
) -> NTSTATUS {
    let Some((found, access)) = table(handle, |table, number| table.get(number)) else {
        return STATUS_INVALID_HANDLE;
    };
    // SAFETY: the driver passes null or what a type variable of this kernel holds.
    if !unsafe { suits(object_type, &found) } {
        return STATUS_OBJECT_TYPE_MISMATCH;
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
    match table(handle, |table, number| table.remove(number)) {
        Some(object) => {
            drop(object);
            STATUS_SUCCESS
        }
        None => STATUS_INVALID_HANDLE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, Kernel};

    #[test]
    fn a_kernel_handle_is_the_system_s_and_is_named_until_it_is_closed() {
        let kernel = Kernel::boot(Config::default());
        let system = &kernel.ps.system;
        let process = kernel.add_process(Default::default());
        let handle = kernel.enter(&process, || {
            open(process.clone().into_any(), OBJ_KERNEL_HANDLE, 1)
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
