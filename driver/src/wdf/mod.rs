//! The framework's functions (KMDF 1.31), safe to call at the IRQL that each names.
//!
//! A function is read from the table at its constant index, with the type that `wdk-sys` has for
//! it. The binding macro of `wdk-sys` looks the index up in a slice of run-time length, which keeps
//! a panic reachable.

pub(crate) mod device;
pub(crate) mod driver;
pub(crate) mod file;
pub(crate) mod queue;
pub(crate) mod registry;
pub(crate) mod request;
pub(crate) mod work_item;

use wdk_sys::{
    _WDF_EXECUTION_LEVEL, _WDF_SYNCHRONIZATION_SCOPE, PWDF_DRIVER_GLOBALS, WDF_OBJECT_ATTRIBUTES,
    WDFFUNC,
};

/// The entry of the framework's table at `index`.
///
/// # Safety
/// The entry is a function of the type that `F`, an option of a function pointer, has.
#[inline(always)]
unsafe fn function<F: Copy>(index: i32) -> F {
    const { assert!(size_of::<F>() == size_of::<WDFFUNC>()) };
    // SAFETY: the framework filled the table in when it bound this driver, before `DriverEntry`,
    // and nobody writes to it since.
    let table = unsafe { wdk_sys::WdfFunctions };
    // SAFETY: KMDF 1.31 has every index of its own `WDFFUNCENUM`, and does not bind a driver that
    // was built for a later version.
    let entry = unsafe { table.offset(index as isize) };
    // SAFETY: an entry of the table, of the type that the caller knows.
    unsafe { entry.cast::<F>().read() }
}

/// The first argument of every function.
#[inline(always)]
fn globals() -> PWDF_DRIVER_GLOBALS {
    // SAFETY: written once, when the framework bound this driver.
    unsafe { wdk_sys::WdfDriverGlobals }
}

/// Calls a function of the framework's table: `wdf_call!(PFN_WDFX, WdfXTableIndex, arguments)`.
/// To be used in `unsafe`, with the reason why the arguments are right.
macro_rules! wdf_call {
    ($type:ident, $index:ident $(, $argument:expr)* $(,)?) => {{
        let function = $crate::wdf::function::<wdk_sys::$type>(wdk_sys::_WDFFUNCENUM::$index);
        // Every entry of a bound table is filled.
        function.unwrap_unchecked()($crate::wdf::globals() $(, $argument)*)
    }};
}
use wdf_call;

/// `WDF_OBJECT_ATTRIBUTES_INIT`.
fn attributes() -> WDF_OBJECT_ATTRIBUTES {
    WDF_OBJECT_ATTRIBUTES {
        Size: size_of::<WDF_OBJECT_ATTRIBUTES>() as u32,
        ExecutionLevel: _WDF_EXECUTION_LEVEL::WdfExecutionLevelInheritFromParent,
        SynchronizationScope: _WDF_SYNCHRONIZATION_SCOPE::WdfSynchronizationScopeInheritFromParent,
        ..WDF_OBJECT_ATTRIBUTES::default()
    }
}
