//! Memory that may be paged out: nobody touches it at DISPATCH_LEVEL or above.
//!
//! Such memory has a protection key of the processor's (pkeys(7)). What a thread may do with it is
//! in a register of the thread's own, which follows its IRQL; so a touch that is a breach faults,
//! and any other costs nothing.
//!
//! N.B. A key does not keep code from being run. The shipped images have no pageable code but what
//! initialises, which is taken away.

use std::arch::asm;
use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::Current;
use crate::ke::{DISPATCH_LEVEL, PASSIVE_LEVEL};

/// The two bits of the key in the register, which is the key itself; 0 while there is none.
static BITS: AtomicU32 = AtomicU32::new(0);

/// Begins to tell such memory from other, if the processor can. The calling thread, which is at
/// PASSIVE_LEVEL, may touch it.
pub(super) fn watch() {
    static KEY: OnceLock<Option<u32>> = OnceLock::new();
    if let Some(key) = KEY.get_or_init(|| allocate().ok()) {
        BITS.store(0b11 << (2 * key), Ordering::Relaxed);
    }
    // The key may be another thread's, which alone was given the right with it.
    follow(PASSIVE_LEVEL);
}

/// Whether a touch of pageable memory at DISPATCH_LEVEL shows, on a machine that verifies. The
/// processor has to have protection keys ("pku" in `/proc/cpuinfo`), and one of 15 has to be free.
pub fn sees_pageable() -> bool {
    BITS.load(Ordering::Relaxed) != 0
}

/// A key that nothing has yet.
fn allocate() -> io::Result<u32> {
    // SAFETY: takes two numbers: no flags, and no right taken from the calling thread.
    let key = unsafe { libc::syscall(libc::SYS_pkey_alloc, 0, 0) };
    u32::try_from(key).map_err(|_| io::Error::last_os_error())
}

/// Marks whole pages as pageable, if the current machine verifies and the processor can tell.
///
/// # Errors
/// When the host refuses.
///
/// # Safety
/// The pages are a mapping of the caller's that can be read and written.
pub(crate) unsafe fn mark(start: *mut u8, len: usize) -> io::Result<()> {
    let bits = BITS.load(Ordering::Relaxed);
    if bits == 0 || Current::with(|current| current.kernel.verifier.is_none()) {
        return Ok(());
    }
    let (access, key) = (
        libc::PROT_READ | libc::PROT_WRITE,
        bits.trailing_zeros() / 2,
    );
    // SAFETY: the caller's promise; the access is what they have.
    match unsafe { libc::syscall(libc::SYS_pkey_mprotect, start, len, access, key) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The current thread is at `irql` from here on.
pub(crate) fn follow(irql: u8) {
    let bits = BITS.load(Ordering::Relaxed);
    if bits == 0 {
        return;
    }
    let rights = rights();
    let wanted = match irql >= DISPATCH_LEVEL {
        true => rights | bits,
        false => rights & !bits,
    };
    if wanted != rights {
        set_rights(wanted);
    }
}

/// What the thread may not do, two bits a key.
fn rights() -> u32 {
    let rights;
    // SAFETY: reads a register; there is a key, so the system has switched the instruction on.
    unsafe {
        asm!("rdpkru", in("ecx") 0, out("eax") rights, out("edx") _, options(nomem, nostack))
    };
    rights
}

fn set_rights(rights: u32) {
    // N.B. not `nomem`: what is touched before stays before.
    // SAFETY: as above. Only the key of driver memory differs from what was there, which no
    // reference of ours leads to.
    unsafe { asm!("wrpkru", in("ecx") 0, in("edx") 0, in("eax") rights, options(nostack)) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ex::pool::POOL_FLAG_PAGED;
    use crate::ke::APC_LEVEL;
    use crate::mm::Section;
    use crate::ob::ObjectRef;
    use crate::verify::boundary::import;
    use crate::verify::death;
    use std::mem::transmute;
    use std::ptr;

    fn paged_pool() -> *mut u8 {
        type Allocate = unsafe extern "win64" fn(u64, usize, u32) -> *mut u8;
        // SAFETY: the function's type.
        let allocate = unsafe { transmute::<usize, Allocate>(import("ExAllocatePool2")) };
        // SAFETY: it is given, as the machine has memory.
        unsafe { allocate(POOL_FLAG_PAGED, 48, u32::from_le_bytes(*b"Ntw1")) }
    }

    fn at(irql: u8) {
        Current::with(|current| current.thread.ke.set_irql(irql));
    }

    /// Paged pool that may be touched at APC_LEVEL cannot be at DISPATCH_LEVEL.
    fn cannot_be_touched(touch: fn(*mut u8)) {
        let printed = death::of(|| {
            let block = paged_pool();
            for irql in [APC_LEVEL, DISPATCH_LEVEL] {
                at(irql);
                touch(block);
            }
        });
        let named = "touches pageable memory at IRQL 2: offset 0 of 48 bytes of pool";
        assert!(printed.contains(named), "{printed}");
    }

    #[test]
    #[cfg_attr(not(protection_keys), ignore = "this processor has no protection keys")]
    fn paged_pool_cannot_be_read_at_dispatch_level() {
        cannot_be_touched(|block| {
            // SAFETY: a block of pool; at DISPATCH_LEVEL this is the breach.
            unsafe { block.read_volatile() };
        });
    }

    #[test]
    #[cfg_attr(not(protection_keys), ignore = "this processor has no protection keys")]
    fn paged_pool_cannot_be_written_at_dispatch_level() {
        cannot_be_touched(|block| {
            // SAFETY: a block of pool; at DISPATCH_LEVEL this is the breach.
            unsafe { block.write_volatile(1) };
        });
    }

    #[test]
    #[cfg_attr(not(protection_keys), ignore = "this processor has no protection keys")]
    fn a_view_cannot_be_touched_at_dispatch_level() {
        type Map = unsafe extern "win64" fn(*mut Section, *mut *mut u8, *mut usize) -> i32;
        let printed = death::of(|| {
            let census = Current::with(|current| current.kernel.objects.clone());
            let section = Section::new(8192, Vec::new()).expect("the host has memory");
            let section = ObjectRef::new(&census, section);
            // SAFETY: the function's type.
            let map = unsafe { transmute::<usize, Map>(import("MmMapViewInSystemSpace")) };
            let (mut view, mut size) = (ptr::null_mut(), 0);
            // SAFETY: the section is referenced, the places are locals.
            unsafe { map(section.as_ptr(), &raw mut view, &raw mut size) };
            for irql in [APC_LEVEL, DISPATCH_LEVEL] {
                at(irql);
                // SAFETY: in the view; at DISPATCH_LEVEL this is the breach.
                unsafe { view.wrapping_add(8).write_volatile(1) };
            }
        });
        let named = "touches pageable memory at IRQL 2: offset 8 of a view of 8192 bytes";
        assert!(printed.contains(named), "{printed}");
    }

    #[test]
    fn paged_pool_cannot_be_freed_at_dispatch_level() {
        let printed = death::of(|| {
            type Free = unsafe extern "win64" fn(*mut u8);
            let block = paged_pool();
            at(DISPATCH_LEVEL);
            // SAFETY: the function's type.
            let free = unsafe { transmute::<usize, Free>(import("ExFreePool")) };
            // SAFETY: a breach is stopped before anything is freed.
            unsafe { free(block) };
        });
        assert!(
            printed.contains("paged pool is freed at IRQL 2"),
            "{printed}"
        );
    }
}
