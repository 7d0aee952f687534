//! What KMDF 1.31 offers, in the order of its table, and the highest IRQL that each page allows.

use crate::exports::Export;
use crate::ke::{APC_LEVEL, DISPATCH_LEVEL, HIGH_LEVEL, PASSIVE_LEVEL};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ptr;
use std::sync::LazyLock;

/// Read off the public headers; the kit and wdfldr are made from the same file.
const FACTS: &str = include_str!("../../../../wdk/facts/kmdf-1.31.json");

/// Every function. They have no address of their own: each machine has the framework elsewhere.
pub(super) static FUNCTIONS: LazyLock<Vec<Export>> = LazyLock::new(|| {
    let facts: Facts = serde_json::from_str(FACTS).expect("the facts are those of the build");
    let mut functions: Vec<_> = facts.functions.into_iter().collect();
    functions.sort_by_key(|(_, function)| function.index);
    let export = |(name, _)| Export {
        name,
        address: ptr::null(),
        max_irql: max_irql(name).unwrap_or(HIGH_LEVEL),
        variable: false,
    };
    functions.into_iter().map(export).collect()
});

#[derive(Deserialize)]
struct Facts {
    #[serde(borrow)]
    functions: BTreeMap<&'static str, Function>,
}

#[derive(Deserialize)]
struct Function {
    index: usize,
}

/// What the page of `name` says; `None` for a function that wdfldr does not have, which stops the
/// machine by its name.
pub(super) fn max_irql(name: &str) -> Option<u8> {
    let of = |(irql, names): &(u8, &[&str])| names.contains(&name).then_some(*irql);
    LIMITS.iter().find_map(of)
}

/// "Any level" is HIGH_LEVEL. What depends on arguments is as high as any of them allow.
const LIMITS: [(u8, &[&str]); 4] = [
    (
        PASSIVE_LEVEL,
        &[
            "WdfControlDeviceInitAllocate",
            "WdfDeviceCreate",
            "WdfDeviceCreateSymbolicLink",
            "WdfDeviceInitAssignName",
            "WdfDeviceInitAssignSDDLString",
            "WdfDriverCreate",
            "WdfDriverGetRegistryPath",
            "WdfDriverOpenParametersRegistryKey",
            "WdfFileObjectGetFileName",
            "WdfIoQueueDrainSynchronously",
            "WdfIoQueuePurgeSynchronously",
            "WdfIoQueueStopSynchronously",
            "WdfRegistryClose",
            "WdfRegistryQueryUnicodeString",
            "WdfWorkItemFlush",
        ],
    ),
    // N.B. Its page: the header, which allows DISPATCH_LEVEL, is wrong.
    (APC_LEVEL, &["WdfWaitLockAcquire"]),
    (
        DISPATCH_LEVEL,
        &[
            "WdfControlFinishInitializing",
            "WdfDeviceEnqueueRequest",
            "WdfDeviceGetCharacteristics",
            "WdfDeviceGetDefaultQueue",
            "WdfDeviceGetDriver",
            "WdfDeviceGetFileObject",
            "WdfDeviceInitFree",
            "WdfDeviceInitSetCharacteristics",
            "WdfDeviceInitSetDeviceType",
            "WdfDeviceInitSetExclusive",
            "WdfDeviceInitSetFileObjectConfig",
            "WdfDeviceInitSetIoInCallerContextCallback",
            "WdfDeviceInitSetIoType",
            "WdfDeviceInitSetRequestAttributes",
            "WdfDeviceWdmGetDeviceObject",
            "WdfDriverWdmGetDriverObject",
            "WdfFileObjectGetDevice",
            "WdfFileObjectGetFlags",
            "WdfFileObjectWdmGetFileObject",
            "WdfIoQueueCreate",
            "WdfIoQueueDrain",
            "WdfIoQueueFindRequest",
            "WdfIoQueueGetDevice",
            "WdfIoQueueGetState",
            "WdfIoQueuePurge",
            "WdfIoQueueRetrieveFoundRequest",
            "WdfIoQueueRetrieveNextRequest",
            "WdfIoQueueRetrieveRequestByFileObject",
            "WdfIoQueueStart",
            "WdfIoQueueStop",
            "WdfMemoryCreate",
            "WdfMemoryCreatePreallocated",
            "WdfObjectAllocateContext",
            "WdfObjectCreate",
            "WdfObjectDelete",
            "WdfObjectDereferenceActual",
            "WdfObjectReferenceActual",
            "WdfRequestComplete",
            "WdfRequestCompleteWithInformation",
            "WdfRequestCompleteWithPriorityBoost",
            "WdfRequestForwardToIoQueue",
            "WdfRequestGetFileObject",
            "WdfRequestGetInformation",
            "WdfRequestGetIoQueue",
            "WdfRequestGetParameters",
            "WdfRequestGetRequestorMode",
            "WdfRequestGetRequestorProcessId",
            "WdfRequestGetStatus",
            "WdfRequestIsCanceled",
            "WdfRequestIsFrom32BitProcess",
            "WdfRequestMarkCancelable",
            "WdfRequestMarkCancelableEx",
            "WdfRequestRequeue",
            "WdfRequestRetrieveInputBuffer",
            "WdfRequestRetrieveInputMemory",
            "WdfRequestRetrieveInputWdmMdl",
            "WdfRequestRetrieveOutputBuffer",
            "WdfRequestRetrieveOutputMemory",
            "WdfRequestRetrieveOutputWdmMdl",
            "WdfRequestSetInformation",
            "WdfRequestUnmarkCancelable",
            "WdfRequestWdmGetIrp",
            "WdfSpinLockAcquire",
            "WdfSpinLockCreate",
            "WdfSpinLockRelease",
            "WdfWaitLockCreate",
            "WdfWaitLockRelease",
            "WdfWorkItemCreate",
            "WdfWorkItemEnqueue",
            "WdfWorkItemGetParentObject",
        ],
    ),
    (
        HIGH_LEVEL,
        &[
            "WdfMemoryAssignBuffer",
            "WdfMemoryCopyFromBuffer",
            "WdfMemoryCopyToBuffer",
            "WdfMemoryGetBuffer",
            "WdfObjectContextGetObject",
            "WdfObjectGetTypedContextWorker",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_has_a_limit_is_a_function_of_the_framework() {
        let limited = LIMITS.iter().flat_map(|(_, names)| names.iter());
        for name in limited {
            let is_it = |function: &Export| function.name == *name;
            assert!(FUNCTIONS.iter().any(is_it), "{name}");
        }
    }

    #[test]
    fn whatever_wdfldr_implements_has_a_limit() {
        let table = include_str!("../../../../wdfldr/src/table.rs");
        let (_, implemented) = table.split_once("\nimplement! {").expect("its list");
        let name = |line: &'static str| Some(line.split_once(" => ")?.0.trim());
        let names: Vec<_> = implemented.lines().filter_map(name).collect();
        assert!(!names.is_empty());
        for name in names {
            assert!(max_irql(name).is_some(), "{name}");
        }
    }
}
