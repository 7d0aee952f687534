//! What a Rust image needs to live in the kernel: entry, memory, panic.

use core::alloc::{GlobalAlloc, Layout};
use core::panic::PanicInfo;

use windows_sys::Wdk::Foundation::DRIVER_OBJECT;
use windows_sys::Win32::Foundation::{NTSTATUS, STATUS_SUCCESS, UNICODE_STRING};

use crate::nt;

/// Of what Rust allocates, as the pool shows it.
const TAG: u32 = u32::from_le_bytes(*b"WdfL");

struct Pool;

// SAFETY: the pool hands out blocks that are aligned to 16 bytes, no two overlapping; larger
// alignments are refused, never got wrong.
unsafe impl GlobalAlloc for Pool {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match layout.align() {
            0..=16 => nt::allocate_pool(layout.size(), TAG).cast(),
            _ => core::ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, _: Layout) {
        // SAFETY: the caller gives back what `alloc` returned.
        unsafe { nt::free_pool(block.cast(), TAG) }
    }
}

#[global_allocator]
static POOL: Pool = Pool;

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    let line = info
        .location()
        .map_or(0, |location| location.line() as usize);
    let file = info
        .location()
        .map_or(core::ptr::null(), |location| location.file().as_ptr());
    nt::bug_check(nt::PANIC, line, file as usize, 0)
}

/// Asked for by code that the compiler made for floating-point types, whether it runs or not.
#[unsafe(no_mangle)]
static _fltused: i32 = 0;

/// The linker wants an entry point. N.B. Windows loads this image as a library and Wine does not
/// call it at all: what needs setting up is set up by `WdfVersionBind`.
#[unsafe(no_mangle)]
extern "system" fn DriverEntry(_: *mut DRIVER_OBJECT, _: *const UNICODE_STRING) -> NTSTATUS {
    STATUS_SUCCESS
}
