//! What calls name has to be there: objects that live, handles of the system, routines that are
//! registered.

use super::{Call, Decision, Watch};
use crate::Current;
use crate::ke::bug_check;
use crate::ob::{Kind, handle};
use std::ffi::c_void;

/// Stops the machine when a driver names what is not there.
pub(super) struct Objects;

impl Watch for Objects {
    fn enter(&self, call: &Call<'_>) -> Decision {
        if let Some(breach) = breach(call) {
            bug_check!(
                DRIVER_VERIFIER_DETECTED_VIOLATION,
                "{} {breach} (page \"{}\")",
                call.export.name,
                call.export.page()
            );
        }
        Decision::Call
    }
}

/// What is wrong with `call`.
fn breach(call: &Call<'_>) -> Option<String> {
    let [first, second, third, _] = call.arguments();
    match call.export.name {
        "ObfReferenceObject" | "ObOpenObjectByPointer" => is_object(first, None),
        "ObfDereferenceObject" | "ObDereferenceObjectDeferDelete" => is_held(first, None),
        "PsDereferencePrimaryToken" => is_held(first, Some(Kind::Token)),
        "PsGetProcessCreateTimeQuadPart"
        | "PsGetProcessExitStatus"
        | "PsGetProcessId"
        | "PsGetProcessStartKey"
        | "PsReferencePrimaryToken"
        | "SeLocateProcessImageName" => is_object(first, Some(Kind::Process)),
        "IoThreadToProcess" | "PsGetThreadExitStatus" | "PsGetThreadId" | "PsGetThreadProcess" => {
            is_object(first, Some(Kind::Thread))
        }
        "SeQueryAuthenticationIdToken" | "SeQueryInformationToken" => {
            is_object(first, Some(Kind::Token))
        }
        "MmMapViewInSystemSpace" => is_object(first, Some(Kind::Section)),
        "ZwClose" => is_kernel_handle(first).or_else(|| is_open(first)),
        // A program may have closed its own meanwhile.
        "ObCloseHandle" if second as u8 == KERNEL_MODE => is_open(first),
        "ZwOpenProcessTokenEx"
        | "ZwQueryInformationProcess"
        | "ZwQueryInformationThread"
        | "ZwQueryInformationToken"
        | "ZwQueryValueKey"
        | "ZwSetSecurityObject" => is_kernel_handle(first),
        "PsSetCreateProcessNotifyRoutineEx2" if third as u8 != 0 => {
            is_registered(second, Current::with(|c| c.kernel.ps.notify.registered()))
        }
        "PsRemoveCreateThreadNotifyRoutine" => is_registered(
            first,
            Current::with(|c| c.kernel.ps.thread_notify.registered()),
        ),
        "PsRemoveLoadImageNotifyRoutine" => is_registered(
            first,
            Current::with(|c| c.kernel.ps.image_notify.registered()),
        ),
        _ => None,
    }
}

const KERNEL_MODE: u8 = 0;

/// `None` if `body` is an object that lives, of this kind if it is to be of one.
fn is_object(body: u64, wanted: Option<Kind>) -> Option<String> {
    let known = Current::with(|current| current.kernel.objects.known(body as *mut c_void));
    match (known, wanted) {
        (None, _) => Some(format!(
            "is given {body:#x}, which is no object; is it gone?"
        )),
        (Some((kind, _)), Some(wanted)) if kind != wanted => {
            Some(format!("is given a {kind:?}, and wants a {wanted:?}"))
        }
        _ => None,
    }
}

/// The same of one that a driver gives a reference back to: it has to have one.
fn is_held(body: u64, wanted: Option<Kind>) -> Option<String> {
    is_object(body, wanted).or_else(|| {
        let known = Current::with(|current| current.kernel.objects.known(body as *mut c_void));
        let (kind, references) = known?;
        (references <= 0)
            .then(|| format!("gives back a reference to a {kind:?} that no driver has one to"))
    })
}

/// `None` if `handle` is one of the system's, which no program can close and use for another.
fn is_kernel_handle(handle: u64) -> Option<String> {
    let is_trusted = handle::is_of_system(handle as usize)
        || Current::with(|current| current.thread.is_system());
    (!is_trusted).then(|| format!("is given {handle:#x}, which is a program's handle"))
}

/// `None` if `handle` is open.
fn is_open(handle: u64) -> Option<String> {
    let closed = handle::object_of(handle as usize).is_err();
    closed.then(|| format!("is given {handle:#x}, which is no open handle; was it closed before?"))
}

/// `None` if a driver registered `routine`.
fn is_registered(routine: u64, registered: Vec<usize>) -> Option<String> {
    let is_there = registered.contains(&(routine as usize));
    (!is_there).then(|| format!("is given {routine:#x}, which is not registered"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::boundary::import;
    use crate::verify::death;
    use std::mem::transmute;

    type Function = unsafe extern "win64" fn(usize) -> usize;

    /// Calls a function of one argument.
    fn call(name: &str, argument: usize) {
        // SAFETY: a function whose arguments behind the first are not looked at.
        let function = unsafe { transmute::<usize, Function>(import(name)) };
        // SAFETY: the tests pass what is right, or what is stopped before the function is called.
        unsafe { function(argument) };
    }

    fn process() -> usize {
        Current::with(|current| current.kernel.ps.system.as_ptr() as usize)
    }

    #[test]
    fn a_reference_is_given_back_once() {
        let printed = death::of(|| {
            call("ObfReferenceObject", process());
            call("ObfDereferenceObject", process());
            call("ObfDereferenceObject", process());
        });
        let named = "ObfDereferenceObject gives back a reference to a Process";
        assert!(printed.contains(named), "{printed}");
    }

    #[test]
    fn an_object_of_another_type_is_named() {
        let printed = death::of(|| call("PsGetThreadId", process()));
        let named = "PsGetThreadId is given a Process, and wants a Thread";
        assert!(printed.contains(named), "{printed}");
    }

    #[test]
    fn what_is_no_object_is_not_looked_into() {
        let printed = death::of(|| call("PsGetProcessId", 0x1000));
        assert!(printed.contains("0x1000, which is no object"), "{printed}");
    }

    #[test]
    fn a_handle_is_closed_once() {
        let printed = death::of(|| {
            call("ZwClose", usize::MAX - 0xfff);
        });
        assert!(printed.contains("which is no open handle"), "{printed}");
    }

    #[test]
    fn a_driver_queries_with_handles_of_its_own() {
        let printed = death::of(|| {
            let kernel = Current::with(|current| current.kernel.clone());
            let program = kernel.add_process(Default::default());
            kernel.enter(&program, || call("ZwQueryInformationToken", 4));
        });
        assert!(
            printed.contains("0x4, which is a program's handle"),
            "{printed}"
        );
    }

    #[test]
    fn a_routine_that_is_not_registered_cannot_be_removed() {
        let printed = death::of(|| call("PsRemoveLoadImageNotifyRoutine", 0x1000));
        assert!(
            printed.contains("0x1000, which is not registered"),
            "{printed}"
        );
    }
}
