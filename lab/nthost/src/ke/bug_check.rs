//! The end of a machine that found itself damaged.

use super::wdf_violation::{self, WDF_VIOLATION};
use crate::exports::exports;
use crate::verify::Whereabouts;

exports! {
    HIGH_LEVEL: KeBugCheck, KeBugCheckEx;
}

/// Ends the program, naming the bug check as Windows numbers it, what happened, and where in which
/// driver if drivers are verified. Returning to the driver is no choice: it is in a state that would
/// have stopped the real system.
macro_rules! bug_check {
    ($name:ident, $($message:tt)+) => {
        panic!(
            "bug check {:#x} {}: {}{}",
            $crate::ke::bug_check::$name,
            stringify!($name),
            format_args!($($message)+),
            $crate::ke::bug_check::whereabouts()
        )
    };
}
pub(crate) use bug_check;

/// Where this thread is in a driver, on lines of its own.
pub(crate) fn whereabouts() -> String {
    Whereabouts::now().map_or_else(String::new, |at| format!("\n{at}"))
}

// Numbers and names: "Bug check code reference".
pub(crate) const IRQL_NOT_LESS_OR_EQUAL: u32 = 0x0a;
pub(crate) const SPIN_LOCK_ALREADY_OWNED: u32 = 0x0f;
pub(crate) const SPIN_LOCK_NOT_OWNED: u32 = 0x10;
pub(crate) const MULTIPLE_IRP_COMPLETE_REQUESTS: u32 = 0x44;
pub(crate) const CANCEL_STATE_IN_COMPLETED_IRP: u32 = 0x48;
pub(crate) const SPECIAL_POOL_DETECTED_MEMORY_CORRUPTION: u32 = 0xc1;
pub(crate) const BAD_POOL_CALLER: u32 = 0xc2;
pub(crate) const DRIVER_VERIFIER_DETECTED_VIOLATION: u32 = 0xc4;
pub(crate) const DRIVER_PAGE_FAULT_IN_FREED_SPECIAL_POOL: u32 = 0xd5;
pub(crate) const DRIVER_PAGE_FAULT_BEYOND_END_OF_ALLOCATION: u32 = 0xd6;
pub(crate) const DRIVER_UNMAPPING_INVALID_VIEW: u32 = 0xd7;
pub(crate) const DRIVER_RETURNED_HOLDING_CANCEL_LOCK: u32 = 0x11b;

/// Any IRQL.
extern "win64" fn KeBugCheck(code: u32) {
    panic!(
        "the driver stopped the machine: bug check {code:#x}{}",
        whereabouts()
    );
}

/// Any IRQL.
extern "win64" fn KeBugCheckEx(code: u32, p1: usize, p2: usize, p3: usize, p4: usize) {
    let why = match code {
        WDF_VIOLATION => violation(p1, p2),
        _ => String::new(),
    };
    panic!(
        "the driver stopped the machine: bug check {code:#x} ({p1:#x}, {p2:#x}, {p3:#x}, {p4:#x}){why}{}",
        whereabouts()
    );
}

/// Which rule of the framework's was broken, and the pages that have it. If drivers are verified,
/// one is that of the function that was called.
fn violation(code: usize, detail: usize) -> String {
    let rule =
        wdf_violation::rule(code, detail).map_or_else(String::new, |rule| format!(": {rule}"));
    let page = "\"Bug Check 0x10D: WDF_VIOLATION\"";
    match Whereabouts::in_framework() {
        Some(function) => format!(" WDF_VIOLATION{rule} (pages \"{function}\" and {page})"),
        None => format!(" WDF_VIOLATION{rule} (page {page})"),
    }
}
