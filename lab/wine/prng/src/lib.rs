//! `bcryptprimitives.dll`, which Rust's library asks for random bytes and Wine 8 lacks: programs end
//! with code 53 there before they begin.
//!
//! It lies where Wine has its libraries, and is for Wine alone.
#![no_std]

use core::panic::PanicInfo;
use windows_sys::Win32::Security::Authentication::Identity::RtlGenRandom;

/// Fills `length` bytes with random ones; 1 if it could (page "ProcessPrng").
///
/// # Safety
/// `buffer` has room for them.
#[unsafe(no_mangle)]
unsafe extern "system" fn ProcessPrng(mut buffer: *mut u8, mut length: usize) -> i32 {
    while length > 0 {
        let some = length.min(1 << 30);
        // SAFETY: the caller's promise, of which this is a part.
        if !unsafe { RtlGenRandom(buffer.cast(), some as u32) } {
            return 0;
        }
        buffer = buffer.wrapping_add(some);
        length -= some;
    }
    1
}

/// Nothing here panics.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}
