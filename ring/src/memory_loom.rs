//! What [`memory`](crate) is to loom: each word twice, as an atomic whose order is explored, and as
//! a cell whose accesses are checked for races. The bytes themselves are beside them.
//!
//! Bytes that are written as content put rubbish into the atomics too, as stale content would look
//! if it were taken for a header.

use crate::sync::{AtomicU64, Ordering};
use crate::{SizeError, size};
use core::marker::PhantomData;
use core::ptr::NonNull;
use loom::cell::UnsafeCell;

const RUBBISH: u64 = u64::MAX;

pub(crate) struct Memory<'m> {
    base: NonNull<u8>,
    words: Vec<(AtomicU64, UnsafeCell<()>)>,
    lent: PhantomData<&'m mut [u64]>,
}

// SAFETY: as the real one; the cells report every race.
unsafe impl Send for Memory<'_> {}
// SAFETY: as above.
unsafe impl Sync for Memory<'_> {}

impl<'m> Memory<'m> {
    pub(crate) fn new(words: &'m mut [u64]) -> Result<Self, SizeError> {
        words.fill(0);
        Self::at(NonNull::from(words))
    }

    pub(crate) fn at(words: NonNull<[u64]>) -> Result<Self, SizeError> {
        size::capacity(words.len())?;
        let word = || (AtomicU64::new(0), UnsafeCell::new(()));
        Ok(Self {
            words: std::iter::repeat_with(word).take(words.len()).collect(),
            base: words.cast(),
            lent: PhantomData,
        })
    }

    pub(crate) fn capacity(&self) -> u64 {
        8 * self.words.len() as u64
    }

    pub(crate) fn offset(&self, position: u64) -> u64 {
        position % self.capacity()
    }

    pub(crate) fn word(&self, position: u64) -> &AtomicU64 {
        &self.place(position, 8)[0].0
    }

    pub(crate) fn bytes(&self, position: u64, len: u64) -> NonNull<[u8]> {
        let offset = self.offset(position);
        assert!(offset + len <= self.capacity());
        // SAFETY: inside, as just checked.
        let bytes = unsafe { self.base.add(offset as usize) };
        NonNull::slice_from_raw_parts(bytes, len as usize)
    }

    pub(crate) fn writing(&self, position: u64, len: u64) {
        for (word, cell) in self.place(position, len) {
            cell.with_mut(|_| ());
            word.store(RUBBISH, Ordering::Relaxed);
        }
    }

    pub(crate) fn reading(&self, position: u64, len: u64) {
        for (_, cell) in self.place(position, len) {
            cell.with(|_| ());
        }
    }

    /// # Safety
    /// No other thread may hold or reach these bytes.
    pub(crate) unsafe fn clear(&self, position: u64, len: u64) {
        for (word, cell) in self.place(position, len) {
            cell.with_mut(|_| ());
            word.store(0, Ordering::Relaxed);
        }
        let bytes = self.bytes(position, len).as_ptr().cast::<u8>();
        // SAFETY: inside the memory, and the cells above would have reported another user.
        unsafe { bytes.write_bytes(0, len as usize) };
    }

    fn place(&self, position: u64, len: u64) -> &[(AtomicU64, UnsafeCell<()>)] {
        let first = self.offset(position) as usize / 8;
        &self.words[first..first + len.div_ceil(8) as usize]
    }
}
