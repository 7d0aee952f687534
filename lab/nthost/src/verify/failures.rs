//! Which functions can fail, and what they return then.

use super::Call;
use windows_sys::Win32::Foundation::{
    NTSTATUS, STATUS_ACCESS_DENIED, STATUS_COMMITMENT_LIMIT, STATUS_DRIVER_INTERNAL_ERROR,
    STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_CID, STATUS_INVALID_HANDLE,
    STATUS_INVALID_PARAMETER, STATUS_NO_MEMORY, STATUS_NOT_FOUND, STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_OBJECT_TYPE_MISMATCH,
};

/// Of wdfstatus.h: the queue takes no requests.
const STATUS_WDF_BUSY: NTSTATUS = 0xc020_0204_u32.cast_signed();

/// Null as a pointer, `FALSE` as a BOOLEAN.
const NOTHING: u64 = 0;

const fn status(status: NTSTATUS) -> u64 {
    status.cast_unsigned() as u64
}

/// What fails when memory is short, and what it returns then: its page's word for it, or the usual
/// one where the page has none.
const FOR_WANT_OF_MEMORY: [(&str, u64); 26] = [
    ("ExAllocatePool2", NOTHING),
    (
        "IoAllocateDriverObjectExtension",
        status(STATUS_INSUFFICIENT_RESOURCES),
    ),
    ("IoAllocateWorkItem", NOTHING),
    ("IoCreateDevice", status(STATUS_INSUFFICIENT_RESOURCES)),
    (
        "IoCreateSymbolicLink",
        status(STATUS_INSUFFICIENT_RESOURCES),
    ),
    ("MmMapLockedPagesSpecifyCache", NOTHING),
    // N.B. The page speaks of "true"; the function returns an NTSTATUS.
    ("MmMapViewInSystemSpace", status(STATUS_NO_MEMORY)),
    (
        "ObOpenObjectByPointer",
        status(STATUS_INSUFFICIENT_RESOURCES),
    ),
    ("ObRegisterCallbacks", status(STATUS_INSUFFICIENT_RESOURCES)),
    (
        "PsSetCreateThreadNotifyRoutineEx",
        status(STATUS_INSUFFICIENT_RESOURCES),
    ),
    (
        "PsSetLoadImageNotifyRoutineEx",
        status(STATUS_INSUFFICIENT_RESOURCES),
    ),
    (
        "SeQueryAuthenticationIdToken",
        status(STATUS_INSUFFICIENT_RESOURCES),
    ),
    (
        "SeQueryInformationToken",
        status(STATUS_INSUFFICIENT_RESOURCES),
    ),
    ("WdfControlDeviceInitAllocate", NOTHING),
    ("WdfDeviceCreate", status(STATUS_INSUFFICIENT_RESOURCES)),
    (
        "WdfDeviceCreateSymbolicLink",
        status(STATUS_INSUFFICIENT_RESOURCES),
    ),
    (
        "WdfDeviceEnqueueRequest",
        status(STATUS_INSUFFICIENT_RESOURCES),
    ),
    (
        "WdfDeviceInitAssignName",
        status(STATUS_INSUFFICIENT_RESOURCES),
    ),
    ("WdfIoQueueCreate", status(STATUS_INSUFFICIENT_RESOURCES)),
    (
        "WdfObjectAllocateContext",
        status(STATUS_INSUFFICIENT_RESOURCES),
    ),
    (
        "WdfRequestRetrieveInputBuffer",
        status(STATUS_INSUFFICIENT_RESOURCES),
    ),
    ("WdfWorkItemCreate", status(STATUS_INSUFFICIENT_RESOURCES)),
    ("ZwCreateSection", status(STATUS_COMMITMENT_LIMIT)),
    (
        "ZwOpenProcessTokenEx",
        status(STATUS_INSUFFICIENT_RESOURCES),
    ),
    ("ZwQueryInformationProcess", status(STATUS_NO_MEMORY)),
    ("ZwSetSecurityObject", status(STATUS_INSUFFICIENT_RESOURCES)),
];

/// What fails for other reasons: a limit is reached, something is gone, a right is missing.
const OTHERWISE: [(&str, u64); 14] = [
    ("ObReferenceObjectByHandle", status(STATUS_INVALID_HANDLE)),
    ("PsLookupProcessByProcessId", status(STATUS_INVALID_CID)),
    ("PsLookupThreadByThreadId", status(STATUS_INVALID_PARAMETER)),
    (REGISTER_OR_REMOVE, status(STATUS_INVALID_PARAMETER)),
    ("SeLocateProcessImageName", status(STATUS_NOT_FOUND)),
    ("SeSinglePrivilegeCheck", NOTHING),
    ("WdfDriverCreate", status(STATUS_DRIVER_INTERNAL_ERROR)),
    (
        "WdfDriverOpenParametersRegistryKey",
        status(STATUS_ACCESS_DENIED),
    ),
    (
        "WdfRegistryQueryUnicodeString",
        status(STATUS_OBJECT_TYPE_MISMATCH),
    ),
    ("WdfRequestForwardToIoQueue", status(STATUS_WDF_BUSY)),
    ("ZwOpenKey", status(STATUS_ACCESS_DENIED)),
    ("ZwQueryInformationThread", status(STATUS_ACCESS_DENIED)),
    ("ZwQueryInformationToken", status(STATUS_ACCESS_DENIED)),
    ("ZwQueryValueKey", status(STATUS_OBJECT_NAME_NOT_FOUND)),
];

/// Its third argument says which; to remove what is registered does not fail.
const REGISTER_OR_REMOVE: &str = "PsSetCreateProcessNotifyRoutineEx2";

/// What `call` returns if it fails, and whether that is for want of memory; `None` if it cannot.
pub(super) fn failure(call: &Call<'_>) -> Option<(u64, bool)> {
    let name = call.export.name;
    let in_list = |list: &[(&str, u64)]| {
        let mut list = list.iter();
        list.find_map(|(function, result)| (*function == name).then_some(*result))
    };
    if let Some(result) = in_list(&FOR_WANT_OF_MEMORY) {
        return Some((result, true));
    }
    let [_, _, remove, _] = call.arguments();
    // A BOOLEAN, which is a byte.
    if name == REGISTER_OR_REMOVE && remove as u8 != 0 {
        return None;
    }
    in_list(&OTHERWISE).map(|result| (result, false))
}

#[cfg(test)]
mod tests;
