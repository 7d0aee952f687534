//! Pool: memory by tag, every block of it known.

use std::alloc::{self, Layout};
use std::collections::HashMap;
use std::ffi::c_void;
use std::fmt;
use std::ptr;
use std::sync::Mutex;

use crate::Current;
use crate::exports::exports;
use crate::ke::bug_check;

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

/// One block of pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolBlock {
    /// Who allocated it: four characters, first in the lowest byte.
    pub tag: u32,
    /// Its size in bytes.
    pub size: usize,
}

impl fmt::Display for PoolBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} bytes of pool tagged '{}'",
            self.size,
            TagText(self.tag)
        )
    }
}

struct TagText(u32);

impl fmt::Display for TagText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.to_le_bytes().escape_ascii())
    }
}

/// The pool of one machine.
#[derive(Debug, Default)]
pub struct Pool {
    blocks: Mutex<HashMap<usize, (PoolBlock, Layout)>>,
}

impl Pool {
    /// Allocates `size` bytes filled with `fill`; null when the host has none.
    ///
    /// Blocks of a page or more start at a page, smaller ones at 16 bytes.
    pub fn allocate(&self, size: usize, alignment: usize, tag: u32, fill: u8) -> *mut c_void {
        let alignment = if size >= PAGE { PAGE } else { alignment };
        let Ok(layout) = Layout::from_size_align(size.max(1), alignment) else {
            return ptr::null_mut();
        };
        let memory = if fill == 0 {
            // SAFETY: the layout is not of size zero.
            unsafe { alloc::alloc_zeroed(layout) }
        } else {
            // SAFETY: as above.
            unsafe { alloc::alloc(layout) }
        };
        if memory.is_null() {
            return ptr::null_mut();
        }
        if fill != 0 {
            // SAFETY: `memory` is valid for the whole layout.
            unsafe { memory.write_bytes(fill, layout.size()) };
        }
        let block = PoolBlock { tag, size };
        self.blocks
            .lock()
            .unwrap()
            .insert(memory as usize, (block, layout));
        memory.cast()
    }

    /// Frees a block. A `tag` of 0 is not compared.
    pub fn free(&self, memory: *mut c_void, tag: u32) {
        let Some((block, layout)) = self.blocks.lock().unwrap().remove(&(memory as usize)) else {
            bug_check!(
                BAD_POOL_CALLER,
                "{memory:p} is freed and is no block of pool; was it freed before?"
            );
        };
        if tag != 0 && tag != block.tag {
            bug_check!(
                BAD_POOL_CALLER,
                "{block} at {memory:p} is freed with tag '{}'",
                TagText(tag)
            );
        }
        // SAFETY: the block was live, and its owner gives it up.
        unsafe {
            memory
                .cast::<u8>()
                .write_bytes(FREED, layout.size().min(MARKED))
        };
        // SAFETY: allocated with this layout, and taken out of the map by this call alone.
        unsafe { alloc::dealloc(memory.cast(), layout) };
    }

    /// The blocks allocated and not freed, those of the same tag and size together, with their
    /// number.
    pub fn live(&self) -> Vec<(PoolBlock, usize)> {
        let mut live: HashMap<(u32, usize), usize> = HashMap::new();
        for (block, _) in self.blocks.lock().unwrap().values() {
            *live.entry((block.tag, block.size)).or_default() += 1;
        }
        let mut live: Vec<_> = live
            .into_iter()
            .map(|((tag, size), count)| (PoolBlock { tag, size }, count))
            .collect();
        live.sort_by_key(|(block, _)| (block.tag, block.size));
        live
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for (memory, (_, layout)) in self.blocks.get_mut().unwrap().drain() {
            // SAFETY: allocated with this layout; the machine is gone, and its drivers with it.
            unsafe { alloc::dealloc(memory as *mut u8, layout) };
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
    Current::with(|current| current.kernel.pool.allocate(size, alignment, tag, fill))
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
    #[should_panic(expected = "was it freed before?")]
    fn a_second_free_is_caught() {
        let pool = Pool::default();
        let block = pool.allocate(24, 16, 1, 0);
        pool.free(block, 1);
        pool.free(block, 1);
    }
}
