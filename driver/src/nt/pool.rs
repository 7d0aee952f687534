//! Pool memory (page "ExAllocatePool2").

use core::ptr::NonNull;
use wdk_sys::ntddk::{ExAllocatePool2, ExFreePool, ExFreePoolWithTag};
use wdk_sys::{
    NTSTATUS, POOL_FLAG_NON_PAGED, POOL_FLAG_PAGED, POOL_FLAGS, PVOID,
    STATUS_INSUFFICIENT_RESOURCES,
};

/// As debuggers show it: `ntwt`.
const TAG: u32 = u32::from_ne_bytes(*b"ntwt");

/// Which pool.
#[derive(Clone, Copy)]
pub(crate) enum Pool {
    /// May be touched at PASSIVE_LEVEL and APC_LEVEL only.
    Paged,
    /// May be touched at any IRQL; never executable.
    NonPaged,
}

impl Pool {
    const fn flags(self) -> POOL_FLAGS {
        match self {
            Self::Paged => POOL_FLAG_PAGED,
            Self::NonPaged => POOL_FLAG_NON_PAGED,
        }
    }
}

/// A value that works in memory of its own: first the words, then the value.
///
/// The words take whole pages in practice, and pool of a page or more begins on a page. Whatever
/// `T` wants beyond the pool's 16 bytes of alignment it does not get.
pub(crate) struct InPool<T> {
    words: NonNull<u64>,
    value: NonNull<T>,
}

// SAFETY: it owns the value and the memory; neither is tied to a thread.
unsafe impl<T: Send> Send for InPool<T> {}
// SAFETY: shared, it gives out nothing but shared references to the value.
unsafe impl<T: Sync> Sync for InPool<T> {}

impl<T> InPool<T> {
    /// Allocates `bytes` (a multiple of 16, or 0) of zeroed memory and builds the value on it.
    /// IRQL ≤ DISPATCH_LEVEL; for [`Pool::Paged`], ≤ APC_LEVEL.
    pub(crate) fn new(
        pool: Pool,
        bytes: usize,
        build: impl FnOnce(&'static mut [u64]) -> Option<T>,
    ) -> Result<Self, NTSTATUS> {
        const { assert!(align_of::<T>() <= 16 && size_of::<T>() != 0) };
        let total = bytes
            .is_multiple_of(16)
            .then(|| bytes.checked_add(size_of::<T>()))
            .flatten()
            .ok_or(STATUS_INSUFFICIENT_RESOURCES)?;
        // SAFETY: the size is not 0 as that of `T` is not, and the IRQL suits the pool.
        let memory = unsafe { ExAllocatePool2(pool.flags(), total as u64, TAG) };
        let words = NonNull::new(memory.cast::<u64>()).ok_or(STATUS_INSUFFICIENT_RESOURCES)?;
        // SAFETY: `bytes` is inside the allocation.
        let value = unsafe { words.byte_add(bytes) }.cast::<T>();
        let mut lent = NonNull::slice_from_raw_parts(words, bytes / 8);
        // SAFETY: the allocation is aligned to 16 bytes and zeroed, nobody else knows it, and the
        // value that borrows it is dropped before it is freed.
        let built = build(unsafe { lent.as_mut() });
        let Some(built) = built else {
            // SAFETY: allocated above with this tag, and `build` kept nothing of it.
            unsafe { ExFreePoolWithTag(memory, TAG) };
            return Err(STATUS_INSUFFICIENT_RESOURCES);
        };
        // SAFETY: `size_of::<T>()` bytes are allocated here, aligned to 16 as `bytes` is.
        unsafe { value.write(built) };
        Ok(Self { words, value })
    }

    /// The value, for longer than the borrow checker can follow.
    ///
    /// # Safety
    /// The reference and all that comes from it must be gone before `self` is dropped.
    pub(crate) const unsafe fn get(&self) -> &'static T {
        // SAFETY: initialised in `new` and alive until `drop`, as the caller promises.
        unsafe { self.value.as_ref() }
    }
}

impl<T> Drop for InPool<T> {
    /// IRQL as for [`Self::new`].
    fn drop(&mut self) {
        // SAFETY: initialised in `new`, and dropped here alone.
        unsafe { self.value.drop_in_place() };
        // SAFETY: allocated in `new` with this tag; nothing refers to it any more.
        unsafe { ExFreePoolWithTag(self.words.as_ptr().cast(), TAG) };
    }
}

/// Bytes inside an allocation that the kernel made for us, freed with it.
pub(crate) struct SystemBuffer {
    allocation: NonNull<core::ffi::c_void>,
    bytes: NonNull<[u8]>,
}

impl SystemBuffer {
    /// Takes over `allocation`. A null `start` stands for no bytes; the allocation is freed all
    /// the same.
    ///
    /// # Safety
    /// `allocation` is the caller's to free with `ExFreePool`, and the `len` bytes at `start`, if
    /// that is not null, lie in it and are initialised.
    pub(crate) unsafe fn new(allocation: PVOID, start: *mut u8, len: usize) -> Option<Self> {
        let (start, len) = match NonNull::new(start) {
            Some(start) => (start, len),
            None => (NonNull::dangling(), 0),
        };
        Some(Self {
            allocation: NonNull::new(allocation)?,
            bytes: NonNull::slice_from_raw_parts(start, len),
        })
    }
}

impl AsRef<[u8]> for SystemBuffer {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: initialised bytes of our allocation, as promised to `new`, or none.
        unsafe { self.bytes.as_ref() }
    }
}

impl Drop for SystemBuffer {
    /// IRQL ≤ APC_LEVEL.
    fn drop(&mut self) {
        // SAFETY: ours to free, as promised to `new`; the kernel's tag is not for us to know.
        unsafe { ExFreePool(self.allocation.as_ptr()) };
    }
}
