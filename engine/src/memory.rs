//! Memory that may be refused.
//!
//! The collections of `alloc` panic, or keep a panic reachable, wherever they grow. Here a vector
//! is given all its room at once and never grows.

use alloc::vec::Vec;

/// The kernel has no memory to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory;

/// The first `len` items of `items`, or fewer if there are not so many.
///
/// # Errors
/// [`OutOfMemory`].
#[expect(unsafe_code, reason = "Vec::push keeps a panic reachable")]
pub(crate) fn collect<T>(
    len: usize,
    items: impl IntoIterator<Item = T>,
) -> Result<Vec<T>, OutOfMemory> {
    let mut collected = Vec::new();
    collected.try_reserve_exact(len).map_err(|_| OutOfMemory)?;
    let mut filled = 0usize;
    for (slot, item) in collected
        .spare_capacity_mut()
        .iter_mut()
        .zip(items)
        .take(len)
    {
        slot.write(item);
        filled = filled.saturating_add(1);
    }
    // SAFETY: the first `filled` places of the spare capacity, which is all there is as the vector
    // was empty, have just been written.
    unsafe { collected.set_len(filled) };
    Ok(collected)
}

/// `bytes` in memory of their own.
///
/// # Errors
/// [`OutOfMemory`].
pub(crate) fn copy_of(bytes: &[u8]) -> Result<Vec<u8>, OutOfMemory> {
    collect(bytes.len(), bytes.iter().copied())
}
