//! Calls that fail, though the driver does everything right: one that is named, or as chance has it.
//!
//! A call is named by its [`Site`] and its number among the calls from there, which is the same in
//! every run that does the same in the same order.

use super::{Call, Decision, Watch};
use crate::Current;
use fastrand::Rng;
use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;
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
/// one where the page has none. `WdfRequestRetrieveOutputBuffer` fails as the mapping that it makes
/// does, which is a call of the framework's.
const FOR_WANT_OF_MEMORY: [(&str, u64); 25] = [
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

/// Where a driver makes a call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Site {
    /// What it calls.
    pub function: &'static str,
    /// The image that the call returns to.
    pub image: String,
    /// Where in the image, in bytes.
    pub offset: usize,
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Site {
            function,
            image,
            offset,
        } = self;
        write!(f, "{function} at {image}+{offset:#x}")
    }
}

impl Site {
    fn of(call: &Call<'_>) -> Site {
        let at = call.return_address;
        let image = Current::with(|current| current.kernel.modules.find(at));
        Site {
            function: call.export.name,
            offset: at - image.as_ref().map_or(0, |image| image.mapping().base()),
            image: image.map_or_else(String::new, |image| image.name().to_owned()),
        }
    }
}

/// A call that can fail.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fault {
    /// Where it is made.
    pub site: Site,
    /// Which of the calls from there it is, from 1.
    pub number: u32,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "call {} of {}", self.number, self.site)
    }
}

/// A [`Watch`] that has calls fail.
#[derive(Debug)]
pub struct Faults(Mutex<State>);

#[derive(Debug)]
struct State {
    plan: Plan,
    /// So many calls there were from each site.
    numbers: HashMap<Site, u32>,
    made: Vec<Fault>,
    struck: Vec<Fault>,
}

#[derive(Debug)]
enum Plan {
    /// These fail.
    Strike(Vec<Fault>),
    /// One in so many of those that need memory.
    Storm { one_in: u32, rng: Rng },
    /// None any more, and none is written down.
    Over,
}

impl Faults {
    /// Has no call fail, and writes down those that could.
    #[must_use]
    pub fn observe() -> Faults {
        Faults::strike(Vec::new())
    }

    /// Has these calls fail, each once, and writes down those that could.
    #[must_use]
    pub fn strike(faults: Vec<Fault>) -> Faults {
        Faults::of(Plan::Strike(faults))
    }

    /// Has one in `one_in` of the calls fail that need memory, by a chance that `seed` decides.
    #[must_use]
    pub fn storm(one_in: u32, seed: u64) -> Faults {
        let rng = Rng::with_seed(seed);
        Faults::of(Plan::Storm { one_in, rng })
    }

    fn of(plan: Plan) -> Faults {
        Faults(Mutex::new(State {
            plan,
            numbers: HashMap::new(),
            made: Vec::new(),
            struck: Vec::new(),
        }))
    }

    /// From here on no call fails.
    pub fn stop(&self) {
        self.0.lock().unwrap().plan = Plan::Over;
    }

    /// The calls that could fail, in order; none of them in a storm.
    #[must_use]
    pub fn made(&self) -> Vec<Fault> {
        self.0.lock().unwrap().made.clone()
    }

    /// Those that did fail, in order.
    #[must_use]
    pub fn struck(&self) -> Vec<Fault> {
        self.0.lock().unwrap().struck.clone()
    }
}

impl Watch for Faults {
    fn enter(&self, call: &Call<'_>) -> Decision {
        let Some((result, needs_memory)) = failure(call) else {
            return Decision::Call;
        };
        let site = Site::of(call);
        let mut state = self.0.lock().unwrap();
        let number = state.numbers.entry(site.clone()).or_default();
        *number += 1;
        let fault = Fault {
            site,
            number: *number,
        };
        let fails = match &mut state.plan {
            Plan::Strike(faults) => faults.contains(&fault),
            Plan::Storm { one_in, rng } => needs_memory && rng.u32(0..*one_in) == 0,
            Plan::Over => false,
        };
        if fails {
            state.struck.push(fault.clone());
        }
        if let Plan::Strike(_) = state.plan {
            state.made.push(fault);
        }
        match fails {
            true => Decision::Return(result),
            false => Decision::Call,
        }
    }
}

/// What `call` returns if it fails, and whether that is for want of memory; `None` if it cannot.
fn failure(call: &Call<'_>) -> Option<(u64, bool)> {
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
mod tests {
    use super::*;
    use crate::exports;
    use crate::verify::framework;

    #[test]
    fn whatever_can_fail_is_a_function_that_this_kernel_has() {
        for (function, _) in FOR_WANT_OF_MEMORY.iter().chain(&OTHERWISE) {
            let mut functions = exports::all().chain(framework::functions());
            let is_there = functions.any(|export| export.name == *function);
            assert!(is_there, "{function}");
        }
    }
}
