//! That no call of the driver's was forgotten.

// What the driver imports, as another check holds the file to it.
#[allow(unreachable_pub, reason = "it is part of a library, too")]
#[path = "../../../../wdk/check/src/known.rs"]
mod known;

use super::*;
use crate::exports;
use crate::verify::framework;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// What the driver calls and no call of which fails: why, and the functions.
const NEVER: [(&str, &[&str]); 7] = [
    (
        "returns nothing, or nothing that a driver looks at",
        &[
            "DbgPrint",
            "ExAcquirePushLockExclusiveEx",
            "ExFreePool",
            "ExFreePoolWithTag",
            "ExReleasePushLockExclusiveEx",
            "KeEnterCriticalRegion",
            "KeLeaveCriticalRegion",
            "KeQuerySystemTimePrecise",
            "KeSetEvent",
            "ObUnRegisterCallbacks",
            "ObfDereferenceObject",
            "ObfReferenceObject",
            "PsDereferencePrimaryToken",
            "WdfControlFinishInitializing",
            "WdfDeviceInitFree",
            "WdfDeviceInitSetCharacteristics",
            "WdfDeviceInitSetFileObjectConfig",
            "WdfDeviceInitSetIoInCallerContextCallback",
            "WdfObjectDelete",
            "WdfRegistryClose",
            "WdfRequestCompleteWithInformation",
            "WdfRequestGetParameters",
            "WdfWorkItemEnqueue",
            "WdfWorkItemFlush",
            "memcpy",
            "memset",
        ],
    ),
    (
        "gives what is always there",
        &[
            "IoGetCurrentProcess",
            "IoThreadToProcess",
            "KeQueryInterruptTimePrecise",
            "PsGetCurrentThread",
            "PsGetProcessCreateTimeQuadPart",
            "PsGetProcessExitStatus",
            "PsGetProcessId",
            "PsGetProcessStartKey",
            "PsGetThreadExitStatus",
            "PsGetThreadId",
            "PsReferencePrimaryToken",
            "RtlLengthSid",
            "RtlUpcaseUnicodeChar",
            "WdfRequestGetFileObject",
            "WdfRequestGetRequestorMode",
            "WdfRequestIsFrom32BitProcess",
            "memcmp",
        ],
    ),
    (
        "says that there is none, which is no failure and comes often",
        &["WdfIoQueueRetrieveRequestByFileObject"],
    ),
    (
        "fails for what is not there, which is the mistake of who calls it",
        &[
            "MmUnmapViewInSystemSpace",
            "ObCloseHandle",
            "WdfVersionUnbind",
            "ZwClose",
        ],
    ),
    (
        "fails as a call of the framework's does that it leads to, for pool or an extension",
        &["WdfVersionBind"],
    ),
    (
        "fails as the mapping does that it makes, a call of the framework's; else it has nothing to make",
        &["WdfRequestRetrieveOutputBuffer"],
    ),
    (
        "fails for a routine that is not registered; a test of its own, as the driver then has to \
         leave something behind",
        &[
            "PsRemoveCreateThreadNotifyRoutine",
            "PsRemoveLoadImageNotifyRoutine",
        ],
    ),
];

/// The names on the lists, with how often they are there.
fn listed() -> BTreeMap<&'static str, usize> {
    let can_fail = FOR_WANT_OF_MEMORY.iter().chain(&OTHERWISE);
    let cannot = NEVER.iter().flat_map(|(_, names)| *names);
    let mut listed = BTreeMap::new();
    for name in can_fail.map(|(name, _)| name).chain(cannot) {
        *listed.entry(*name).or_default() += 1;
    }
    listed
}

/// What the driver calls: its imports, and the framework's functions by what its sources name of
/// the framework's table.
fn called() -> Vec<String> {
    let imports = known::IMPORTS.iter().flat_map(|(_, names)| *names);
    let is_variable = |name: &str| exports::find(name).is_some_and(|export| export.variable);
    let imports = imports.filter(|name| !is_variable(name));
    let mut called: Vec<_> = imports.map(|name| (*name).to_owned()).collect();
    let imported = called.len();
    let sources = concat!(env!("CARGO_MANIFEST_DIR"), "/../../driver/src");
    in_table(Path::new(sources), &mut called);
    assert!(called.len() > imported, "the driver uses no framework");
    called
}

/// Adds what stands as `WdfXTableIndex` in the sources of a directory, comments apart.
fn in_table(directory: &Path, called: &mut Vec<String>) {
    for entry in fs::read_dir(directory).expect("the driver's sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            in_table(&path, called);
            continue;
        }
        let source = fs::read_to_string(path).expect("a source");
        let lines = source.lines().map(str::trim);
        let words = lines
            .filter(|line| !line.starts_with("//"))
            .flat_map(|line| line.split(|c: char| !c.is_alphanumeric()));
        let functions = words.filter_map(|word| word.strip_suffix("TableIndex"));
        called.extend(functions.map(str::to_owned));
    }
}

#[test]
fn whatever_can_fail_is_a_function_that_this_kernel_has() {
    for (function, _) in FOR_WANT_OF_MEMORY.iter().chain(&OTHERWISE) {
        let mut functions = exports::all().chain(framework::functions());
        let is_there = functions.any(|export| export.name == *function);
        assert!(is_there, "{function}");
    }
}

#[test]
fn of_each_function_that_the_driver_calls_it_is_said_once_whether_it_can_fail() {
    let listed = listed();
    let twice: Vec<_> = listed.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    let mut called = called();
    called.retain(|name| !listed.contains_key(name.as_str()));
    assert!(called.is_empty(), "it is not said of {called:?}");
}

#[test]
fn what_is_said_not_to_fail_is_called_by_the_driver() {
    let called = called();
    for name in NEVER.iter().flat_map(|(_, names)| *names) {
        assert!(called.iter().any(|other| other == name), "{name}");
    }
}
