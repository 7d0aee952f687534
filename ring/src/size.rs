//! What memory can be a ring.

use crate::SizeError;

/// The capacity of so many words as a ring, in bytes.
pub(crate) fn capacity(words: usize) -> Result<u64, SizeError> {
    let capacity = words.saturating_mul(size_of::<u64>());
    if !capacity.is_power_of_two() || !(64..=1 << 30).contains(&capacity) {
        return Err(SizeError::Capacity(capacity));
    }
    Ok(capacity as u64)
}

/// `reserved` as a position's worth, if a ring of `capacity` bytes can spare it.
pub(crate) fn reserved(reserved: usize, capacity: u64) -> Result<u64, SizeError> {
    if reserved as u64 > capacity / 2 {
        return Err(SizeError::Reserved {
            reserved,
            capacity: capacity as usize,
        });
    }
    Ok(reserved as u64)
}
