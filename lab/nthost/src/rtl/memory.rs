//! What compilers call: memory functions and stack probes.

use std::arch::naked_asm;
use std::ffi::c_void;
use std::{ptr, slice};

use crate::exports::exports;

exports! {
    HIGH_LEVEL: memcpy, memmove, memset, memcmp, __chkstk, __C_specific_handler, DbgBreakPoint;
}

/// Any IRQL.
unsafe extern "win64" fn memcpy(to: *mut c_void, from: *const c_void, size: usize) -> *mut c_void {
    // SAFETY: the compiler's call: disjoint and valid.
    unsafe { ptr::copy_nonoverlapping(from.cast::<u8>(), to.cast::<u8>(), size) };
    to
}

/// Any IRQL.
unsafe extern "win64" fn memmove(to: *mut c_void, from: *const c_void, size: usize) -> *mut c_void {
    // SAFETY: the compiler's call: valid.
    unsafe { ptr::copy(from.cast::<u8>(), to.cast::<u8>(), size) };
    to
}

/// Any IRQL.
unsafe extern "win64" fn memset(to: *mut c_void, byte: i32, size: usize) -> *mut c_void {
    // SAFETY: the compiler's call: valid.
    unsafe { ptr::write_bytes(to.cast::<u8>(), byte as u8, size) };
    to
}

/// Any IRQL.
unsafe extern "win64" fn memcmp(left: *const c_void, right: *const c_void, size: usize) -> i32 {
    // SAFETY: the compiler's call: valid.
    let left = unsafe { slice::from_raw_parts(left.cast::<u8>(), size) };
    // SAFETY: as above.
    let right = unsafe { slice::from_raw_parts(right.cast::<u8>(), size) };
    left.cmp(right) as i32
}

/// Any IRQL. Touches each page of the `rax` bytes of stack that the caller is about to take, so
/// that an overflow meets the guard page. All registers but r10 and r11 are kept.
#[unsafe(naked)]
unsafe extern "win64" fn __chkstk() {
    naked_asm!(
        "lea r10, [rsp + 8]",
        "mov r11, r10",
        "sub r11, rax",
        "2:",
        "sub r10, 4096",
        "cmp r10, r11",
        "jb 3f",
        "test byte ptr [r10], 0",
        "jmp 2b",
        "3:",
        "ret",
    )
}

/// Named by the unwind data of C code with `__try`; only an exception would call it.
extern "win64" fn __C_specific_handler() {
    panic!("an exception was raised in a driver, which this kernel does not dispatch");
}

/// Any IRQL.
extern "win64" fn DbgBreakPoint() {
    panic!("the driver reached a break point");
}
