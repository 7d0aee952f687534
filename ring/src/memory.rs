//! The bytes of a ring, addressed by position.

use crate::sync::AtomicU64;
use crate::{SizeError, size};
use core::marker::PhantomData;
use core::ptr::NonNull;

/// A power of two of zeroed bytes, 8-byte aligned. A position is masked into it, so that no
/// position leads outside.
pub(crate) struct Memory<'m> {
    base: NonNull<u64>,
    mask: u64,
    lent: PhantomData<&'m mut [u64]>,
}

// SAFETY: `Memory` hands out atomics and raw pointers; who dereferences those answers for it.
unsafe impl Send for Memory<'_> {}
// SAFETY: as above.
unsafe impl Sync for Memory<'_> {}

impl<'m> Memory<'m> {
    pub(crate) fn new(words: &'m mut [u64]) -> Result<Self, SizeError> {
        words.fill(0);
        Self::at(NonNull::from(words))
    }

    /// As it is. Whoever reads or writes it answers for its being mapped.
    pub(crate) fn at(words: NonNull<[u64]>) -> Result<Self, SizeError> {
        Ok(Self {
            mask: size::capacity(words.len())? - 1,
            base: words.cast(),
            lent: PhantomData,
        })
    }

    #[inline]
    pub(crate) fn capacity(&self) -> u64 {
        self.mask + 1
    }

    /// Where `position` lies, in bytes from the start.
    #[inline]
    pub(crate) fn offset(&self, position: u64) -> u64 {
        position & self.mask
    }

    /// The word at `position`, shared between threads.
    #[inline]
    pub(crate) fn word(&self, position: u64) -> &AtomicU64 {
        // SAFETY: masked, the word lies in the memory that was lent to us, and is aligned; a
        // word is read and written as bytes only by whoever owns the record around it.
        unsafe { AtomicU64::from_ptr(self.place(position).as_ptr()) }
    }

    /// The `len` bytes at `position`, which must not reach over the end.
    #[inline]
    pub(crate) fn bytes(&self, position: u64, len: u64) -> NonNull<[u8]> {
        debug_assert!(self.offset(position) + len <= self.capacity());
        NonNull::slice_from_raw_parts(self.place(position).cast(), len as usize)
    }

    /// Marks where the bytes of a record begin to be written (nothing to do: only the loom
    /// model looks).
    #[inline]
    pub(crate) fn writing(&self, _position: u64, _len: u64) {}

    /// Marks where the bytes of a record are read.
    #[inline]
    pub(crate) fn reading(&self, _position: u64, _len: u64) {}

    /// Zeroes `len` bytes at `position`, up to the end at most.
    ///
    /// # Safety
    /// No other thread may hold or reach these bytes.
    #[inline]
    pub(crate) unsafe fn clear(&self, position: u64, len: u64) {
        let bytes = self.bytes(position, len).as_ptr().cast::<u8>();
        // SAFETY: inside the memory (see `bytes`), and ours alone, as the caller promises.
        unsafe { bytes.write_bytes(0, len as usize) };
    }

    #[inline]
    fn place(&self, position: u64) -> NonNull<u64> {
        let word = self.offset(position) / 8;
        // SAFETY: `offset` is below the capacity, which is what `base` points to.
        unsafe { self.base.add(word as usize) }
    }
}
