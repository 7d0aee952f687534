//! What the driver imports, and what for. An import that is not here, and one here that is none, is
//! an error: a driver should not come to call something by accident.

/// Groups of imports: what for, and the names.
pub const IMPORTS: &[(&str, &[&str])] = &[
    (
        "memory",
        &["ExAllocatePool2", "ExFreePool", "ExFreePoolWithTag"],
    ),
    (
        "locks and waking; a critical region keeps its thread from being suspended",
        &[
            "ExAcquirePushLockExclusiveEx",
            "ExReleasePushLockExclusiveEx",
            "KeEnterCriticalRegion",
            "KeLeaveCriticalRegion",
            "KeSetEvent",
        ],
    ),
    (
        "clocks",
        &["KeQueryInterruptTimePrecise", "KeQuerySystemTimePrecise"],
    ),
    (
        "the callbacks, registered and removed",
        &[
            "ObRegisterCallbacks",
            "ObUnRegisterCallbacks",
            "PsRemoveCreateThreadNotifyRoutine",
            "PsRemoveLoadImageNotifyRoutine",
            "PsSetCreateProcessNotifyRoutineEx2",
            "PsSetCreateThreadNotifyRoutineEx",
            "PsSetLoadImageNotifyRoutineEx",
        ],
    ),
    (
        "who a process or a thread is",
        &[
            "IoGetCurrentProcess",
            "IoThreadToProcess",
            "PsGetCurrentThread",
            "PsGetProcessCreateTimeQuadPart",
            "PsGetProcessExitStatus",
            "PsGetProcessId",
            "PsGetProcessStartKey",
            "PsGetThreadExitStatus",
            "PsGetThreadId",
            "PsLookupProcessByProcessId",
            "PsLookupThreadByThreadId",
        ],
    ),
    (
        "objects, their types and handles",
        &[
            "ExEventObjectType",
            "ObCloseHandle",
            "ObOpenObjectByPointer",
            "ObReferenceObjectByHandle",
            "ObfDereferenceObject",
            "ObfReferenceObject",
            "PsProcessType",
            "PsThreadType",
            "ZwClose",
        ],
    ),
    (
        "what the worker finds out: path, token, subsystem, start address",
        &[
            "PsDereferencePrimaryToken",
            "PsReferencePrimaryToken",
            "RtlLengthSid",
            "SeLocateProcessImageName",
            "SeQueryAuthenticationIdToken",
            "SeQueryInformationToken",
            "ZwOpenProcessTokenEx",
            "ZwQueryInformationProcess",
            "ZwQueryInformationThread",
            "ZwQueryInformationToken",
        ],
    ),
    (
        "the mapped ring's sections and the driver's views of them",
        &[
            "MmMapViewInSystemSpace",
            "MmUnmapViewInSystemSpace",
            "ZwCreateSection",
        ],
    ),
    (
        "the privilege that protection wants",
        &["SeSinglePrivilegeCheck"],
    ),
    ("patterns that ignore case", &["RtlUpcaseUnicodeChar"]),
    ("a line for the debugger when loading fails", &["DbgPrint"]),
    ("what compilers call", &["memcmp", "memcpy", "memset"]),
    (
        "the framework, bound and unbound; all else goes through its table",
        &["WdfVersionBind", "WdfVersionUnbind"],
    ),
];
