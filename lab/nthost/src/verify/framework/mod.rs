//! The framework's functions, by way of the verifier.
//!
//! A driver does not import them: it asks for a table, with `WdfVersionBind`. On a machine that
//! verifies that import leads here, and the table that the driver is given is one of stubs. A
//! function's first argument, the globals, says whose framework is meant.

mod functions;

use super::boundary;
use crate::Current;
use crate::exports::Export;
use crate::io::Driver;
use crate::ke::bug_check;
use crate::ob::ObjectRef;
use std::collections::HashMap;
use std::ffi::c_void;
use std::mem::{offset_of, transmute};
use std::ptr;
use std::sync::{LazyLock, RwLock};
use windows_sys::Wdk::Foundation::DRIVER_OBJECT;
use windows_sys::Win32::Foundation::{NTSTATUS, STATUS_INVALID_PARAMETER, UNICODE_STRING};

/// Every function, in the order of the framework's table.
pub(super) fn functions() -> impl Iterator<Item = &'static Export> {
    functions::FUNCTIONS.iter()
}

/// Whether it is one of these.
pub(super) fn is_of(export: &Export) -> bool {
    functions::FUNCTIONS
        .as_ptr_range()
        .contains(&ptr::from_ref(export))
}

/// The address of what a driver's import of `symbol` from the framework is bound to in its place.
pub(crate) fn interposed(symbol: &str) -> Option<usize> {
    match symbol {
        BIND => Some(WdfVersionBind as *const () as usize),
        UNBIND => Some(WdfVersionUnbind as *const () as usize),
        _ => None,
    }
}

const BIND: &str = "WdfVersionBind";
const UNBIND: &str = "WdfVersionUnbind";

/// The frameworks that drivers of one machine are bound to: where the table of each is, by the
/// globals that it gave the driver.
#[derive(Debug, Default)]
pub(super) struct Frameworks(RwLock<HashMap<usize, Bound>>);

/// N.B. What the driver was given says nothing of the driver: wdfldr finds it by its object.
#[derive(Debug, Clone, Copy)]
struct Bound {
    table: usize,
    unbind: usize,
}

impl Frameworks {
    /// Where the function `index` is that `export` names, for the driver with these `globals`.
    pub(super) fn function(&self, globals: u64, index: usize, export: &Export) -> usize {
        let Some(bound) = self.0.read().unwrap().get(&(globals as usize)).copied() else {
            bug_check!(
                DRIVER_VERIFIER_DETECTED_VIOLATION,
                "{} is called with globals of no framework that a driver is bound to: {globals:#x}",
                export.name
            );
        };
        let entry = (bound.table as *const usize).wrapping_add(index);
        // SAFETY: the framework's table has an entry for each of its functions, and stays until the
        // driver is unbound.
        unsafe { entry.read() }
    }
}

/// `WDF_BIND_INFO`, of fxldr.h.
#[repr(C)]
struct BindInfo {
    size: u32,
    component: *const u16,
    version: [u32; 3],
    function_count: u32,
    /// Where the driver keeps the table's address.
    table: *mut *const usize,
    module: *const c_void,
}

const _: () = assert!(offset_of!(BindInfo, table) == 32 && size_of::<BindInfo>() == 48);

type Bind = unsafe extern "win64" fn(
    *mut DRIVER_OBJECT,
    *const UNICODE_STRING,
    *mut BindInfo,
    *mut usize,
) -> NTSTATUS;
type Unbind = unsafe extern "win64" fn(*const UNICODE_STRING, *const BindInfo, usize) -> NTSTATUS;

/// Binds the driver, and puts stubs in the place of the functions. IRQL = PASSIVE_LEVEL.
unsafe extern "win64" fn WdfVersionBind(
    driver: *mut DRIVER_OBJECT,
    path: *const UNICODE_STRING,
    info: *mut BindInfo,
    globals: *mut usize,
) -> NTSTATUS {
    // SAFETY: the driver passes its driver object, which is the start of a `Driver` body.
    let object = unsafe { ObjectRef::from_body(driver.cast::<Driver>()) };
    let [bind, unbind] = [BIND, UNBIND].map(|name| object.export(name).unwrap_or_default());
    if bind == 0 || unbind == 0 {
        return STATUS_INVALID_PARAMETER;
    }
    // SAFETY: an export of this name has this type.
    let bind = unsafe { transmute::<usize, Bind>(bind) };
    // SAFETY: the driver's own arguments.
    let status = unsafe { bind(driver, path, info, globals) };
    if status >= 0 {
        // SAFETY: what the framework has just filled in.
        let place = unsafe { (*info).table };
        // SAFETY: the driver's variable, which the framework wrote to.
        let table = unsafe { place.replace(stubs().as_ptr()) }.addr();
        // SAFETY: the driver's place for its globals, likewise.
        let globals = unsafe { globals.read() };
        with_frameworks(|bound| bound.insert(globals, Bound { table, unbind }));
    }
    status
}

/// Ends what [`WdfVersionBind`] began. IRQL = PASSIVE_LEVEL.
unsafe extern "win64" fn WdfVersionUnbind(
    path: *const UNICODE_STRING,
    info: *const BindInfo,
    globals: usize,
) -> NTSTATUS {
    let Some(bound) = with_frameworks(|bound| bound.get(&globals).copied()) else {
        bug_check!(
            DRIVER_VERIFIER_DETECTED_VIOLATION,
            "{UNBIND} is called with globals of no framework that a driver is bound to: {globals:#x}"
        );
    };
    // SAFETY: an export of this name has this type.
    let unbind = unsafe { transmute::<usize, Unbind>(bound.unbind) };
    // SAFETY: the driver's own arguments. The driver may be called, and call, until it returns.
    let status = unsafe { unbind(path, info, globals) };
    with_frameworks(|bound| bound.remove(&globals));
    status
}

fn with_frameworks<R>(body: impl FnOnce(&mut HashMap<usize, Bound>) -> R) -> R {
    Current::with(|current| {
        let verifier = current.kernel.verifier.as_ref();
        let verifier = verifier.expect("drivers are bound here on machines that verify");
        body(&mut verifier.frameworks.0.write().unwrap())
    })
}

/// The table that drivers are given.
fn stubs() -> &'static [usize] {
    static STUBS: LazyLock<Vec<usize>> =
        LazyLock::new(|| functions().map(boundary::address).collect());
    &STUBS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ke::DISPATCH_LEVEL;
    use crate::verify::death;
    use crate::{Config, Kernel};

    type Flush = unsafe extern "win64" fn(usize, usize) -> usize;

    /// What a driver finds in its table for the function `name`.
    fn stub(name: &str) -> usize {
        let index = functions().position(|function| function.name == name);
        stubs()[index.expect("it is one of the framework's")]
    }

    /// Calls `name` as a driver would that was bound with the globals 0x1000.
    fn call(name: &str, globals: usize, argument: usize) -> usize {
        extern "win64" fn sum(globals: usize, argument: usize) -> usize {
            globals + argument
        }
        call_of(sum, name, globals, argument)
    }

    /// As [`call`], of a framework all of whose functions are `function`.
    fn call_of(
        function: extern "win64" fn(usize, usize) -> usize,
        name: &str,
        globals: usize,
        argument: usize,
    ) -> usize {
        let table = vec![function as *const () as usize; stubs().len()].leak();
        let bound = Bound {
            table: table.as_ptr().addr(),
            unbind: 0,
        };
        with_frameworks(|frameworks| frameworks.insert(0x1000, bound));
        // SAFETY: a function of two numbers, as all of the table are.
        let function = unsafe { transmute::<usize, Flush>(stub(name)) };
        // SAFETY: it takes any.
        unsafe { function(globals, argument) }
    }

    #[test]
    fn a_call_reaches_the_framework_that_the_globals_are_of() {
        let kernel = Kernel::boot(Config {
            verify: true,
            ..Config::default()
        });
        let answer = kernel.enter(&kernel.ps.system, || call("WdfWorkItemFlush", 0x1000, 7));
        assert_eq!(answer, 0x1007);
    }

    #[test]
    fn a_call_above_the_functions_limit_stops_the_machine() {
        let printed = death::of(|| {
            Current::with(|current| current.thread.ke.set_irql(DISPATCH_LEVEL));
            call("WdfWorkItemEnqueue", 0x1000, 7);
            call("WdfWorkItemFlush", 0x1000, 7);
        });
        let named = "WdfWorkItemFlush is called at IRQL 2";
        assert!(printed.contains(named), "{printed}");
    }

    #[test]
    fn a_breach_that_the_framework_sees_is_said_in_words_with_its_pages() {
        extern "win64" fn completed_before(_: usize, _: usize) -> usize {
            type BugCheck = unsafe extern "win64" fn(u32, usize, usize, usize, usize);
            let function = boundary::import("KeBugCheckEx");
            // SAFETY: the function's type.
            let bug_check = unsafe { transmute::<usize, BugCheck>(function) };
            // SAFETY: any numbers may be passed.
            unsafe { bug_check(0x10d, 6, 2, 0, 0) };
            0
        }
        let printed = death::of(|| {
            call_of(completed_before, "WdfRequestComplete", 0x1000, 7);
        });
        let named = "WDF_VIOLATION: a request is used that was completed before \
                     (pages \"WdfRequestComplete\" and \"Bug Check 0x10D: WDF_VIOLATION\")";
        assert!(printed.contains(named), "{printed}");
    }

    #[test]
    fn a_call_after_the_driver_was_unbound_stops_the_machine() {
        let printed = death::of(|| {
            call("WdfWorkItemFlush", 0x2000, 7);
        });
        let named = "WdfWorkItemFlush is called with globals of no framework";
        assert!(printed.contains(named), "{printed}");
    }
}
