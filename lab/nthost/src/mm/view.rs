//! Views: the memory of a section, mapped.

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use std::io;
use std::ops::Range;
use std::os::fd::AsFd;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering, fence};

/// All of a section, mapped. It stays when the section's handles are closed and when a driver has
/// unmapped its own view; dropping it unmaps it.
#[derive(Debug)]
pub struct View {
    base: NonNull<u8>,
    len: usize,
    writable: bool,
}

// SAFETY: a view is memory that others write too, at any time; this type reads and writes it with
// atomics, and hands out no references to it.
unsafe impl Send for View {}
// SAFETY: as above.
unsafe impl Sync for View {}

impl View {
    /// Maps the `len` bytes of `memory`.
    ///
    /// # Errors
    /// When the host refuses: `memory` was not opened for that, or there is no room.
    pub fn map(memory: impl AsFd, len: usize, writable: bool) -> io::Result<View> {
        let access = match writable {
            true => ProtFlags::READ | ProtFlags::WRITE,
            false => ProtFlags::READ,
        };
        // SAFETY: a new mapping at an address of the host's choice replaces nothing.
        let base = unsafe { mmap(ptr::null_mut(), len, access, MapFlags::SHARED, memory, 0) }?;
        let base = NonNull::new(base.cast()).expect("mmap does not place at null");
        Ok(View {
            base,
            len,
            writable,
        })
    }

    /// Where it begins. As on Windows a write to a read-only view is the end of the program.
    pub fn as_ptr(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    /// Its size in bytes: whole pages.
    #[allow(clippy::len_without_is_empty)] // None is empty.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Reads the word at `offset`. What was written before it by others is seen after it.
    ///
    /// # Panics
    /// When the offset is outside of the view or no multiple of eight.
    pub fn load(&self, offset: usize) -> u64 {
        // Only a relaxed load is sure not to write.
        let value = self.word(offset).load(Ordering::Relaxed);
        fence(Ordering::Acquire);
        value
    }

    /// Writes the word at `offset`. It is seen by others before anything is read after it.
    ///
    /// # Panics
    /// As for [`Self::load`], and when the view is read-only.
    pub fn store(&self, offset: usize, value: u64) {
        assert!(self.writable, "a read-only view is written to");
        self.word(offset).store(value, Ordering::Release);
        fence(Ordering::SeqCst);
    }

    /// The bytes in `range`, as they are one after another.
    ///
    /// # Panics
    /// When it is not in the view.
    pub fn copy(&self, range: Range<usize>) -> Vec<u8> {
        assert!(range.end <= self.len, "{range:?} is outside of the view");
        range
            .map(|offset| {
                // SAFETY: in the view, see above.
                let byte = unsafe { self.base.add(offset) };
                // SAFETY: mapped as long as the view lives, and only used with atomics by us.
                unsafe { AtomicU8::from_ptr(byte.as_ptr()) }.load(Ordering::Relaxed)
            })
            .collect()
    }

    fn word(&self, offset: usize) -> &AtomicU64 {
        let is_in = offset.is_multiple_of(8) && offset.saturating_add(8) <= self.len;
        assert!(is_in, "there is no word at {offset:#x}");
        // SAFETY: in the view, see above.
        let word = unsafe { self.base.add(offset) };
        // SAFETY: mapped as long as the view lives, aligned, and only used with atomics by us.
        unsafe { AtomicU64::from_ptr(word.as_ptr().cast()) }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        // SAFETY: the mapping is this view's, and nobody has a reference into it.
        let unmapped = unsafe { munmap(self.base.as_ptr().cast(), self.len) };
        debug_assert!(unmapped.is_ok(), "{unmapped:?}");
    }
}
