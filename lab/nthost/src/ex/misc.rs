//! Small services of the executive.

use std::hash::{BuildHasher, RandomState};

use windows_sys::Win32::Foundation::{NTSTATUS, STATUS_SUCCESS};

use crate::exports::exports;

exports! {
    PASSIVE_LEVEL: ExUuidCreate;
}

/// IRQL = PASSIVE_LEVEL. A version 4 UUID, as Windows makes them.
unsafe extern "win64" fn ExUuidCreate(uuid: *mut u128) -> NTSTATUS {
    // Each `RandomState` has fresh random keys, which is all that is needed here.
    let random = || u128::from(RandomState::new().hash_one(0));
    let mut bytes = (random() << 64 | random()).to_le_bytes();
    // Data3 is little endian: its high byte has the version.
    bytes[7] = bytes[7] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    // SAFETY: the driver passes a place for 16 bytes, not necessarily aligned for an integer.
    unsafe { uuid.cast::<[u8; 16]>().write_unaligned(bytes) };
    STATUS_SUCCESS
}
