//! Special pool: each block in pages of its own, between pages that nobody can touch.
//!
//! A block ends where its last page ends, as far as its alignment lets it; one of a page or more
//! starts where a page starts. What is left of its pages holds a pattern, which is looked at when
//! the block is freed, and when what drivers left behind is counted.

use std::ops::Range;
use std::ptr::{self, NonNull};
use std::slice;

use rustix::mm::{
    Advice, MapFlags, MprotectFlags, ProtFlags, madvise, mmap_anonymous, mprotect, munmap,
};

use crate::verify::pageable::Pageable;

const PAGE: usize = 4096;
/// What the bytes of a block's pages hold that are not the block's.
const PATTERN: u8 = 0xb7;

/// A block of special pool. Dropping it gives its pages back.
#[derive(Debug)]
pub(super) struct SpecialBlock {
    /// The first guard page.
    guard: NonNull<u8>,
    /// The bytes between the two guard pages.
    usable: usize,
    /// Where the block is in these.
    block: Range<usize>,
    /// If it is paged pool.
    pageable: Option<Pageable>,
}

// SAFETY: a block is memory with an address, which its owner, a driver, uses by its own rules;
// this type reads it only when that owner has given it up.
unsafe impl Send for SpecialBlock {}

impl SpecialBlock {
    /// Places `size` bytes of zeros; `None` when the host has none.
    pub(super) fn new(size: usize, alignment: usize) -> Option<SpecialBlock> {
        let taken = size.max(1).checked_next_multiple_of(alignment)?;
        let usable = taken.checked_next_multiple_of(PAGE)?;
        let start = if size >= PAGE { 0 } else { usable - taken };
        let reserved = usable.checked_add(2 * PAGE)?;
        // SAFETY: a private mapping at an address of the system's choice replaces nothing.
        let guard = unsafe {
            mmap_anonymous(
                ptr::null_mut(),
                reserved,
                ProtFlags::empty(),
                MapFlags::PRIVATE,
            )
        };
        let special = SpecialBlock {
            guard: NonNull::new(guard.ok()?.cast())?,
            usable,
            block: start..start + size,
            pageable: None,
        };
        let access = MprotectFlags::READ | MprotectFlags::WRITE;
        // SAFETY: the pages between the guards, which nobody else knows of.
        unsafe { mprotect(special.pages().cast(), usable, access) }.ok()?;
        for rest in special.rest() {
            // SAFETY: in the pages that have just been made writable, which are nobody's yet.
            unsafe {
                special
                    .pages()
                    .wrapping_add(rest.start)
                    .write_bytes(PATTERN, rest.len())
            };
        }
        Some(special)
    }

    /// Its first byte.
    pub(super) fn start(&self) -> *mut u8 {
        self.pages().wrapping_add(self.block.start)
    }

    /// Makes it paged pool.
    pub(super) fn make_pageable(&mut self) {
        // SAFETY: the pages between the guards are the block's own, readable and writable until it
        // is retired or dropped, before which `pageable` is.
        self.pageable = unsafe { Pageable::new(self.pages(), self.usable) };
    }

    /// Whether it is paged pool.
    pub(super) fn is_pageable(&self) -> bool {
        self.pageable.is_some()
    }

    /// Whether `address` is in its pages or in those that guard them.
    pub(super) fn reserves(&self, address: usize) -> bool {
        address.wrapping_sub(self.guard.addr().get()) < self.usable + 2 * PAGE
    }

    /// Which byte around the block was written to, counted from the block's start, if one was. The
    /// block must not be retired.
    pub(super) fn damage(&self) -> Option<isize> {
        let damaged = |rest: Range<usize>| {
            let start = self.pages().wrapping_add(rest.start);
            // SAFETY: inside of the pages, which are readable until the block is retired, and none of the
            // block's; whoever writes there now is the driver that this is to find.
            let bytes = unsafe { slice::from_raw_parts(start, rest.len()) };
            let at = bytes.iter().position(|byte| *byte != PATTERN)?;
            Some((rest.start + at) as isize - self.block.start as isize)
        };
        self.rest().into_iter().find_map(damaged)
    }

    /// Takes the memory behind it away; the addresses stay taken, and fault.
    pub(super) fn retire(&mut self) {
        self.pageable = None;
        let pages = self.pages().cast();
        // The host can only refuse for want of kernel memory; what is freed then stays readable.
        // SAFETY: the owner has given up the block, and nothing else is in its pages.
        let _ = unsafe { madvise(pages, self.usable, Advice::LinuxDontNeed) };
        // SAFETY: as above.
        let _ = unsafe { mprotect(pages, self.usable, MprotectFlags::empty()) };
    }

    fn pages(&self) -> *mut u8 {
        self.guard.as_ptr().wrapping_add(PAGE)
    }

    /// What is in the pages before and after the block.
    fn rest(&self) -> [Range<usize>; 2] {
        [0..self.block.start, self.block.end..self.usable]
    }
}

impl Drop for SpecialBlock {
    fn drop(&mut self) {
        self.pageable = None;
        // SAFETY: the whole of our own mapping, whose block was given up.
        let _ = unsafe { munmap(self.guard.as_ptr().cast(), self.usable + 2 * PAGE) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_ends_with_its_page_or_starts_with_one() {
        let small = SpecialBlock::new(48, 16).unwrap();
        assert_eq!((small.start().addr() + 48) % PAGE, 0);
        let large = SpecialBlock::new(PAGE + 1, 16).unwrap();
        assert_eq!(large.start().addr() % PAGE, 0);
    }

    #[test]
    fn a_write_that_no_guard_page_catches_shows_at_the_end() {
        for (size, at) in [(40, -1), (40, 40), (PAGE + 1, PAGE as isize + 1)] {
            let block = SpecialBlock::new(size, 16).unwrap();
            assert_eq!(block.damage(), None);
            // SAFETY: in the block's pages, beside the block.
            unsafe { block.start().wrapping_offset(at).write(0) };
            assert_eq!(block.damage(), Some(at));
        }
    }
}
