//! Memory that may be paged out: nobody touches it at DISPATCH_LEVEL or above.
//!
//! Whenever a thread comes to such an IRQL, all of it is paged out: its pages allow no access, so
//! that the next touch of each block faults. A thread that may wait for a page has the block
//! brought in, and touches it again; any other is stopped. Driver Verifier does the same (page
//! "Force IRQL Checking").
//!
//! N.B. What is brought in for one thread is there for all. So a touch goes unseen if another
//! thread has touched the same block since this one raised its IRQL.
//!
//! N.B. Code is not looked at. The shipped images have no pageable code but what initialises, which
//! is taken away.

use std::collections::BTreeMap;
use std::ptr;
use std::sync::{Mutex, MutexGuard};

use rustix::io;
use rustix::mm::{MprotectFlags, mprotect};

use crate::Current;
use crate::ke::DISPATCH_LEVEL;

/// All such memory of this process, by where each block begins.
///
/// N.B. also locked by the handler of faults: who has the lock touches none of that memory.
static BLOCKS: Mutex<BTreeMap<usize, Pages>> = Mutex::new(BTreeMap::new());

/// The whole pages of one block.
struct Pages {
    len: usize,
    is_in: bool,
}

/// That some pages may be paged out, until it is dropped. It has to be before the pages become
/// anything else; whether they can be touched is then not said.
#[derive(Debug)]
pub(crate) struct Pageable(usize);

/// What becomes of a touch that faulted.
pub(super) enum Touch {
    /// The block is there now: it may be tried again.
    Again,
    /// The block may be paged out, and the thread cannot wait for it.
    TooHigh,
    /// It was of nothing that may be paged out.
    Elsewhere,
}

impl Pageable {
    /// Makes whole pages pageable, if the current machine verifies.
    ///
    /// # Safety
    /// They are a mapping of the caller's that can be read and written, and stay it until this is
    /// dropped.
    pub(crate) unsafe fn new(start: *mut u8, len: usize) -> Option<Pageable> {
        Current::with(|current| current.kernel.verifier.is_some()).then(|| {
            let start = start.addr();
            blocks().insert(start, Pages { len, is_in: true });
            Pageable(start)
        })
    }
}

impl Drop for Pageable {
    fn drop(&mut self) {
        blocks().remove(&self.0);
    }
}

/// The current thread is at `irql` from here on.
pub(crate) fn follow(irql: u8) {
    if irql < DISPATCH_LEVEL || Current::with(|current| current.kernel.verifier.is_none()) {
        return;
    }
    for (start, pages) in &mut *blocks() {
        if pages.is_in {
            // The host can only refuse for want of kernel memory; a touch then does not show.
            pages.is_in = pages.allow(*start, MprotectFlags::empty()).is_err();
        }
    }
}

/// Decides about a touch of `address` by this thread, which faulted.
pub(super) fn touch(address: usize) -> Touch {
    let mut blocks = blocks();
    let block = blocks.range_mut(..=address).next_back();
    let Some((start, pages)) = block.filter(|(start, pages)| address - **start < pages.len) else {
        return Touch::Elsewhere;
    };
    let is_high = |current: &Current| current.thread.ke.irql() >= DISPATCH_LEVEL;
    if Current::exists() && Current::with(is_high) {
        return Touch::TooHigh;
    }
    let allowed = pages.allow(*start, MprotectFlags::READ | MprotectFlags::WRITE);
    allowed.expect("the host has memory to say what may be touched");
    pages.is_in = true;
    Touch::Again
}

fn blocks() -> MutexGuard<'static, BTreeMap<usize, Pages>> {
    BLOCKS.lock().unwrap()
}

impl Pages {
    fn allow(&self, start: usize, access: MprotectFlags) -> io::Result<()> {
        // SAFETY: whole pages that `Pageable::new` was promised, and no reference of ours leads to.
        unsafe { mprotect(ptr::without_provenance_mut(start), self.len, access) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ex::pool::POOL_FLAG_PAGED;
    use crate::ke::{APC_LEVEL, PASSIVE_LEVEL};
    use crate::mm::Section;
    use crate::ob::ObjectRef;
    use crate::verify::boundary::import;
    use crate::verify::death;
    use crate::{Config, Kernel};
    use std::mem::transmute;
    use std::sync::atomic::{AtomicPtr, Ordering};
    use std::thread;

    fn paged_pool() -> *mut u8 {
        type Allocate = unsafe extern "win64" fn(u64, usize, u32) -> *mut u8;
        // SAFETY: the function's type.
        let allocate = unsafe { transmute::<usize, Allocate>(import("ExAllocatePool2")) };
        // SAFETY: it is given, as the machine has memory.
        unsafe { allocate(POOL_FLAG_PAGED, 48, u32::from_le_bytes(*b"Ntw1")) }
    }

    fn free(block: *mut u8) {
        type Free = unsafe extern "win64" fn(*mut u8);
        // SAFETY: the function's type.
        let free = unsafe { transmute::<usize, Free>(import("ExFreePool")) };
        // SAFETY: a block of pool, or a breach that is stopped.
        unsafe { free(block) };
    }

    fn at(irql: u8) {
        Current::with(|current| current.thread.ke.set_irql(irql));
    }

    /// Paged pool that may be touched at APC_LEVEL cannot be at DISPATCH_LEVEL.
    fn cannot_be_touched(touch: fn(*mut u8)) {
        let printed = death::of(|| {
            let block = paged_pool();
            at(DISPATCH_LEVEL);
            for irql in [APC_LEVEL, DISPATCH_LEVEL] {
                at(irql);
                touch(block);
            }
        });
        let named = "touches pageable memory at IRQL 2: offset 0 of 48 bytes of pool";
        assert!(printed.contains(named), "{printed}");
    }

    #[test]
    fn paged_pool_cannot_be_read_at_dispatch_level() {
        cannot_be_touched(|block| {
            // SAFETY: a block of pool; at DISPATCH_LEVEL this is the breach.
            unsafe { block.read_volatile() };
        });
    }

    #[test]
    fn paged_pool_cannot_be_written_at_dispatch_level() {
        cannot_be_touched(|block| {
            // SAFETY: a block of pool; at DISPATCH_LEVEL this is the breach.
            unsafe { block.write_volatile(1) };
        });
    }

    #[test]
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
            let block = paged_pool();
            at(DISPATCH_LEVEL);
            free(block);
        });
        assert!(
            printed.contains("paged pool is freed at IRQL 2"),
            "{printed}"
        );
    }

    #[test]
    fn paged_pool_that_was_freed_is_not_brought_in_again() {
        let printed = death::of(|| {
            let block = paged_pool();
            free(block);
            at(DISPATCH_LEVEL);
            at(PASSIVE_LEVEL);
            // SAFETY: it is not: this is the breach.
            unsafe { block.read_volatile() };
        });
        assert!(printed.contains("IN_FREED_SPECIAL_POOL"), "{printed}");
    }

    #[test]
    fn a_thread_that_may_touches_it_while_another_is_at_dispatch_level() {
        let kernel = Kernel::boot(Config {
            verify: true,
            ..Config::default()
        });
        kernel.enter(&kernel.ps.system, || {
            let block = paged_pool();
            let shared = AtomicPtr::new(block);
            at(DISPATCH_LEVEL);
            thread::scope(|scope| {
                scope.spawn(|| {
                    kernel.enter(&kernel.ps.system, || {
                        // SAFETY: a live block, which the other thread leaves alone meanwhile.
                        unsafe { shared.load(Ordering::Relaxed).write_volatile(7) };
                    });
                });
            });
            at(PASSIVE_LEVEL);
            // SAFETY: a live block, and the other thread is gone.
            assert_eq!(unsafe { block.read_volatile() }, 7);
            free(block);
        });
    }
}
