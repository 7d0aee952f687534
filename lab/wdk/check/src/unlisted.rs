//! What Microsoft's metadata lacks, and the page of its documentation that describes it.

/// Functions and variables that the images import.
pub(crate) const FUNCTIONS: &[(&str, &str)] = &[
    (
        "KeAcquireSpinLockRaiseToDpc",
        "KeAcquireSpinLockRaiseToDpc function (wdm.h)",
    ),
    (
        "ExEventObjectType",
        "ObOpenObjectByPointer function (ntifs.h), parameter ObjectType",
    ),
    ("KeReleaseSpinLock", "KeReleaseSpinLock function (wdm.h)"),
    ("PsGetCurrentThread", "PsGetCurrentThread function (wdm.h)"),
    (
        "PsProcessType",
        "ObOpenObjectByPointer function (ntifs.h), parameter ObjectType",
    ),
    (
        "PsThreadType",
        "ObOpenObjectByPointer function (ntifs.h), parameter ObjectType",
    ),
    ("memcmp", "memcmp, wmemcmp (C runtime library reference)"),
    ("memcpy", "memcpy, wmemcpy (C runtime library reference)"),
    ("memmove", "memmove, wmemmove (C runtime library reference)"),
    ("memset", "memset, wmemset (C runtime library reference)"),
    ("__chkstk", "__chkstk Routine (C runtime library reference)"),
];

/// Structures that the kit declares.
pub(crate) const STRUCTURES: &[(&str, &str)] = &[
    (
        "_LARGE_INTEGER",
        "LARGE_INTEGER union (winnt.h); the metadata has a 64-bit integer",
    ),
    (
        "_GUID",
        "GUID structure (guiddef.h); the crate declares its own",
    ),
];
