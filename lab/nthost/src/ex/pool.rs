//! Pool: memory by tag, every block of it known.

use std::alloc::{self, Layout};
use std::collections::{HashMap, VecDeque};
use std::ffi::c_void;
use std::fmt::{self, Write as _};
use std::sync::{Mutex, MutexGuard};
use std::{iter, ptr, thread};

use super::special_pool::SpecialBlock;
use crate::Current;
use crate::exports::exports;
use crate::ke::{DISPATCH_LEVEL, bug_check};
use crate::verify::{Stack, Whereabouts};

exports! {
    DISPATCH_LEVEL: ExAllocatePool2, ExAllocatePoolWithTag, ExFreePool, ExFreePoolWithTag;
}

const PAGE: usize = 4096;
const POOL_FLAG_UNINITIALIZED: u64 = 0x2;
const POOL_FLAG_CACHE_ALIGNED: u64 = 0x8;
const POOL_FLAG_RAISE_ON_FAILURE: u64 = 0x20;
const POOL_FLAG_NON_PAGED: u64 = 0x40;
pub(crate) const POOL_FLAG_NON_PAGED_EXECUTE: u64 = 0x80;
pub(crate) const POOL_FLAG_PAGED: u64 = 0x100;
/// The kinds of pool one of which must be asked for.
const POOL_FLAG_KINDS: u64 = POOL_FLAG_NON_PAGED | POOL_FLAG_NON_PAGED_EXECUTE | POOL_FLAG_PAGED;

/// What uninitialised memory holds, so that its use shows.
const GARBAGE: u8 = 0xcd;
/// What freed memory holds until it is used again.
const FREED: u8 = 0xdd;
/// How much of a freed block is filled: rings of many megabytes are not worth the time.
const MARKED: usize = 16 * PAGE;
/// How many freed blocks of special pool keep their addresses.
const KEPT: usize = 4096;

/// One block of pool.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PoolBlock {
    /// Who allocated it: four characters, first in the lowest byte.
    pub tag: u32,
    /// Its size in bytes.
    pub size: usize,
    /// Who called for it, on a machine that verifies.
    pub allocated_by: Option<Stack>,
}

impl fmt::Display for PoolBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (size, tag) = (self.size, TagText(self.tag));
        write!(f, "{size} bytes of pool tagged '{tag}'")?;
        match &self.allocated_by {
            Some(stack) => write!(f, ", allocated by{stack}"),
            None => Ok(()),
        }
    }
}

struct TagText(u32);

impl fmt::Display for TagText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.to_le_bytes().escape_ascii())
    }
}

/// Where a block is.
#[derive(Debug)]
enum Memory {
    /// In the host's heap, with this layout.
    Heap(Layout),
    Special(SpecialBlock),
}

/// Where an address is that faulted, by a block of special pool.
pub(crate) enum Fault {
    /// In the pages around a block.
    Beside(String),
    /// In or around a block that was freed.
    Freed(String),
}

/// A block of special pool that was freed.
#[derive(Debug)]
struct Freed {
    block: PoolBlock,
    freed_by: Option<Stack>,
    special: SpecialBlock,
}

/// The pool of one machine.
#[derive(Debug, Default)]
pub struct Pool {
    blocks: Mutex<HashMap<usize, (PoolBlock, Memory)>>,
    /// The blocks that were freed last, if all is special pool.
    freed: Option<Mutex<VecDeque<Freed>>>,
}

impl Pool {
    /// A pool all of whose blocks are special pool: a touch beside a block or after it was freed
    /// faults, or shows when the block is freed.
    pub(crate) fn special() -> Pool {
        Pool {
            blocks: Mutex::default(),
            freed: Some(Mutex::default()),
        }
    }

    /// Allocates `size` bytes filled with `fill`; null when the host has none.
    ///
    /// Blocks of a page or more start at a page, smaller ones at 16 bytes.
    pub fn allocate(&self, size: usize, alignment: usize, tag: u32, fill: u8) -> *mut c_void {
        let memory = match self.freed {
            Some(_) => SpecialBlock::new(size, alignment)
                .map(|special| (special.start(), Memory::Special(special))),
            None => heap(size, alignment).map(|(start, layout)| (start, Memory::Heap(layout))),
        };
        let Some((start, memory)) = memory else {
            return ptr::null_mut();
        };
        if fill != 0 {
            // SAFETY: `start` is valid for `size` bytes.
            unsafe { start.write_bytes(fill, size) };
        }
        let block = PoolBlock {
            tag,
            size,
            allocated_by: caller(),
        };
        let mut blocks = self.blocks.lock().unwrap();
        blocks.insert(start.addr(), (block, memory));
        start.cast()
    }

    /// As [`Self::allocate`], of paged pool.
    pub(crate) fn allocate_paged(
        &self,
        size: usize,
        alignment: usize,
        tag: u32,
        fill: u8,
    ) -> *mut c_void {
        let start = self.allocate(size, alignment, tag, fill);
        let mut blocks = self.blocks.lock().unwrap();
        if let Some((_, Memory::Special(special))) = blocks.get_mut(&start.addr()) {
            special.make_pageable();
        }
        start
    }

    /// Frees a block. A `tag` of 0 is not compared.
    pub fn free(&self, memory: *mut c_void, tag: u32) {
        let Some((block, kept)) = self.blocks.lock().unwrap().remove(&memory.addr()) else {
            let known = match self.freed_at(memory.addr()) {
                Some(Fault::Freed(what) | Fault::Beside(what)) => what,
                None => "was it freed before?".into(),
            };
            bug_check!(
                BAD_POOL_CALLER,
                "{memory:p} is freed and is no block of pool: {known}"
            );
        };
        if tag != 0 && tag != block.tag {
            bug_check!(
                BAD_POOL_CALLER,
                "{block} at {memory:p} is freed with tag '{}'",
                TagText(tag)
            );
        }
        match kept {
            Memory::Heap(layout) => {
                let memory = memory.cast::<u8>();
                // SAFETY: the block was live, and its owner gives it up.
                unsafe { memory.write_bytes(FREED, layout.size().min(MARKED)) };
                // SAFETY: allocated with this layout, and taken out of the map by this call alone.
                unsafe { alloc::dealloc(memory, layout) };
            }
            Memory::Special(special) => self.retire(block, special),
        }
    }

    /// Looks at a block of special pool that is freed, and keeps it out of use for a while.
    fn retire(&self, block: PoolBlock, mut special: SpecialBlock) {
        if special.is_pageable() {
            let irql = Current::with(|current| current.thread.ke.irql());
            if irql >= DISPATCH_LEVEL {
                bug_check!(
                    IRQL_NOT_LESS_OR_EQUAL,
                    "paged pool is freed at IRQL {irql}: {block}"
                );
            }
        }
        assert_undamaged(&block, &special);
        special.retire();
        let freed = Freed {
            block,
            freed_by: caller(),
            special,
        };
        if let Some(kept) = &self.freed {
            let mut kept = kept.lock().unwrap();
            kept.push_back(freed);
            if kept.len() > KEPT {
                kept.pop_front();
            }
        }
    }

    /// What special pool knows of `address`, which faulted.
    pub(crate) fn fault(&self, address: usize) -> Option<Fault> {
        let blocks = lock_soon(&self.blocks)?;
        let live = blocks.iter().find_map(|(start, (block, memory))| {
            let Memory::Special(special) = memory else {
                return None;
            };
            special.reserves(address).then(|| {
                let offset = address.wrapping_sub(*start) as isize;
                Fault::Beside(format!("offset {offset} of {block}"))
            })
        });
        drop(blocks);
        live.or_else(|| self.freed_at(address))
    }

    /// The same, of the blocks that were freed.
    fn freed_at(&self, address: usize) -> Option<Fault> {
        let freed = lock_soon(self.freed.as_ref()?)?;
        let freed = freed.iter().find(|freed| freed.special.reserves(address))?;
        let offset = address.wrapping_sub(freed.special.start().addr()) as isize;
        let mut text = format!("offset {offset} of {}", freed.block);
        if let Some(stack) = &freed.freed_by {
            let _ = write!(text, "\nfreed by{stack}");
        }
        Some(Fault::Freed(text))
    }

    /// Stops the machine if something was written beside a block of special pool that is not freed.
    pub(crate) fn assert_undamaged(&self) {
        for (block, memory) in self.blocks.lock().unwrap().values() {
            if let Memory::Special(special) = memory {
                assert_undamaged(block, special);
            }
        }
    }

    /// The blocks allocated and not freed, those that are alike together, with their number.
    pub fn live(&self) -> Vec<(PoolBlock, usize)> {
        let blocks = self.blocks.lock().unwrap();
        let mut live: Vec<_> = blocks.values().map(|(block, _)| block).collect();
        live.sort();
        let alike = live.chunk_by(|a, b| a == b);
        alike.map(|alike| (alike[0].clone(), alike.len())).collect()
    }
}

fn assert_undamaged(block: &PoolBlock, special: &SpecialBlock) {
    if let Some(at) = special.damage() {
        bug_check!(
            SPECIAL_POOL_DETECTED_MEMORY_CORRUPTION,
            "something was written at offset {at} of {block}"
        );
    }
}

/// The lock, if it comes free soon. In a signal handler, this thread may be the one that has it.
fn lock_soon<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    const TRIES: usize = 10_000;
    iter::repeat_with(|| mutex.try_lock().inspect_err(|_| thread::yield_now()))
        .take(TRIES)
        .find_map(Result::ok)
}

/// Who called for what is done now, if drivers are verified.
fn caller() -> Option<Stack> {
    Whereabouts::now().map(|at| at.stack())
}

/// Zeroed memory of the host's heap.
fn heap(size: usize, alignment: usize) -> Option<(*mut u8, Layout)> {
    let alignment = if size >= PAGE { PAGE } else { alignment };
    let layout = Layout::from_size_align(size.max(1), alignment).ok()?;
    // SAFETY: the layout is not of size zero.
    let start = unsafe { alloc::alloc_zeroed(layout) };
    (!start.is_null()).then_some((start, layout))
}

impl Drop for Pool {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.assert_undamaged();
        }
        for (start, (_, memory)) in self.blocks.get_mut().unwrap().drain() {
            if let Memory::Heap(layout) = memory {
                // SAFETY: allocated with this layout; the machine is gone, and its drivers with it.
                unsafe { alloc::dealloc(start as *mut u8, layout) };
            }
        }
    }
}

/// IRQL ≤ DISPATCH_LEVEL (< DISPATCH_LEVEL for paged pool). Memory is zeroed unless
/// `POOL_FLAG_UNINITIALIZED` asks otherwise.
extern "win64" fn ExAllocatePool2(flags: u64, size: usize, tag: u32) -> *mut c_void {
    if tag == 0 || (flags & POOL_FLAG_KINDS).count_ones() != 1 || size == 0 {
        return ptr::null_mut();
    }
    if flags & POOL_FLAG_RAISE_ON_FAILURE != 0 {
        bug_check!(
            BAD_POOL_CALLER,
            "ExAllocatePool2 with POOL_FLAG_RAISE_ON_FAILURE: nobody here could catch it"
        );
    }
    let fill = if flags & POOL_FLAG_UNINITIALIZED != 0 {
        GARBAGE
    } else {
        0
    };
    let alignment = if flags & POOL_FLAG_CACHE_ALIGNED != 0 {
        64
    } else {
        16
    };
    Current::with(|current| match flags & POOL_FLAG_PAGED {
        0 => current.kernel.pool.allocate(size, alignment, tag, fill),
        _ => current
            .kernel
            .pool
            .allocate_paged(size, alignment, tag, fill),
    })
}

/// IRQL ≤ DISPATCH_LEVEL. Superseded by `ExAllocatePool2`; older drivers and Wine have only this.
extern "win64" fn ExAllocatePoolWithTag(_kind: i32, size: usize, tag: u32) -> *mut c_void {
    Current::with(|current| current.kernel.pool.allocate(size, 16, tag, GARBAGE))
}

/// IRQL ≤ DISPATCH_LEVEL.
extern "win64" fn ExFreePool(memory: *mut c_void) {
    ExFreePoolWithTag(memory, 0);
}

/// IRQL ≤ DISPATCH_LEVEL.
extern "win64" fn ExFreePoolWithTag(memory: *mut c_void, tag: u32) {
    Current::with(|current| current.kernel.pool.free(memory, tag));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_that_were_not_freed_are_named_by_tag_and_size() {
        let pool = Pool::default();
        let first = pool.allocate(24, 16, u32::from_le_bytes(*b"Ntw1"), 0);
        pool.allocate(24, 16, u32::from_le_bytes(*b"Ntw1"), 0);
        pool.allocate(5000, 16, u32::from_le_bytes(*b"Ntw2"), 0);
        pool.free(first, u32::from_le_bytes(*b"Ntw1"));
        let live: Vec<_> = pool
            .live()
            .iter()
            .map(|(block, count)| format!("{count} × {block}"))
            .collect();
        assert_eq!(
            live,
            [
                "1 × 24 bytes of pool tagged 'Ntw1'",
                "1 × 5000 bytes of pool tagged 'Ntw2'"
            ]
        );
    }

    #[test]
    #[should_panic(expected = "24 bytes of pool tagged 'Ntw1' at")]
    fn a_block_is_freed_with_its_own_tag() {
        let pool = Pool::default();
        let block = pool.allocate(24, 16, u32::from_le_bytes(*b"Ntw1"), 0);
        pool.free(block, u32::from_le_bytes(*b"Ntw2"));
    }

    #[test]
    #[should_panic(expected = "was it freed before?")]
    fn a_second_free_is_caught() {
        let pool = Pool::default();
        let block = pool.allocate(24, 16, 1, 0);
        pool.free(block, 1);
        pool.free(block, 1);
    }
}
