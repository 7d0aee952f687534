//! SIDs and security descriptors.

use std::ffi::c_void;
use std::ptr;

use windows_sys::Win32::Security::{ACL, SECURITY_DESCRIPTOR, SID};

use crate::exports::exports;
use crate::se::Token;

exports! {
    APC_LEVEL: RtlLengthSid, RtlValidSid;
}

const SE_DACL_PRESENT: u16 = 0x0004;
const SE_DACL_PROTECTED: u16 = 0x1000;
const SE_SELF_RELATIVE: u16 = 0x8000;
const SID_REVISION: u8 = 1;
const SID_MAX_SUB_AUTHORITIES: u8 = 15;
/// The size of a self-relative descriptor without what it refers to.
const RELATIVE_HEADER: usize = 20;

/// IRQL ≤ APC_LEVEL.
unsafe extern "win64" fn RtlLengthSid(sid: *const SID) -> u32 {
    // SAFETY: the driver passes a SID.
    8 + 4 * u32::from(unsafe { (*sid).SubAuthorityCount })
}

/// IRQL ≤ APC_LEVEL.
unsafe extern "win64" fn RtlValidSid(sid: *const SID) -> u8 {
    // SAFETY: the driver passes what it takes for a SID, or null.
    let sid = unsafe { sid.as_ref() };
    u8::from(sid.is_some_and(|sid| {
        sid.Revision == SID_REVISION && sid.SubAuthorityCount <= SID_MAX_SUB_AUTHORITIES
    }))
}

/// Where a self-relative descriptor has the offset of its owner, and of its DACL.
const OWNER_OFFSET: usize = 4;
const DACL_OFFSET: usize = 16;

/// The control word of a descriptor, absolute or self-relative.
///
/// # Safety
/// `descriptor` points to a valid security descriptor.
unsafe fn control(descriptor: *const c_void) -> u16 {
    let header = descriptor.cast::<SECURITY_DESCRIPTOR>();
    // SAFETY: both forms begin alike, and the control word is in that part.
    let control = unsafe { &raw const (*header).Control };
    // SAFETY: as above. Unaligned: a self-relative descriptor is aligned to 4 bytes alone.
    unsafe { control.read_unaligned() }
}

/// A part of a descriptor, absolute or self-relative; null if it does not have it.
///
/// # Safety
/// `descriptor` points to a valid security descriptor.
unsafe fn part(
    descriptor: *const c_void,
    offset_at: usize,
    absolute: impl FnOnce(&SECURITY_DESCRIPTOR) -> *const c_void,
) -> *const c_void {
    // SAFETY: the caller's promise.
    if unsafe { control(descriptor) } & SE_SELF_RELATIVE == 0 {
        // SAFETY: in the absolute form all of the structure is there, aligned for its pointers.
        return absolute(unsafe { &*descriptor.cast() });
    }
    let offset = descriptor.wrapping_byte_add(offset_at).cast::<u32>();
    // SAFETY: in the self-relative form the offsets are in its first 20 bytes.
    match unsafe { offset.read_unaligned() } {
        0 => ptr::null(),
        offset => descriptor.wrapping_byte_add(offset as usize),
    }
}

/// A driver's security descriptor as [`capture_dacl`] has it, with its owner; who makes the object
/// if it names none.
///
/// # Safety
/// `descriptor` points to a valid security descriptor.
pub(crate) unsafe fn capture(descriptor: *const c_void, maker: &Token) -> Vec<u8> {
    // SAFETY: the caller's promise.
    let mut captured = unsafe { capture_dacl(descriptor) };
    // SAFETY: as above.
    let named = unsafe { part(descriptor, OWNER_OFFSET, |header| header.Owner.cast_const()) };
    let owner = match named.is_null() {
        true => maker.owner().map(|owner| owner.as_bytes().to_vec()),
        false => {
            // SAFETY: a valid descriptor's owner is a SID.
            let len = unsafe { RtlLengthSid(named.cast()) } as usize;
            // SAFETY: a SID says its own length.
            Some(unsafe { std::slice::from_raw_parts(named.cast::<u8>(), len) }.to_vec())
        }
    };
    if let Some(owner) = owner {
        let offset = captured.len() as u32;
        captured[OWNER_OFFSET..][..4].copy_from_slice(&offset.to_le_bytes());
        captured.extend(owner);
    }
    captured
}

/// The DACL of a driver's security descriptor, absolute or self-relative, as a self-relative
/// descriptor that holds nothing else. A descriptor without a DACL grants everything to everybody.
///
/// # Safety
/// `descriptor` points to a valid security descriptor.
pub(crate) unsafe fn capture_dacl(descriptor: *const c_void) -> Vec<u8> {
    // SAFETY: the caller's promise.
    let control = unsafe { control(descriptor) };
    let dacl: *const ACL = match control & SE_DACL_PRESENT {
        0 => ptr::null(),
        // SAFETY: the caller's promise.
        _ => unsafe { part(descriptor, DACL_OFFSET, |header| header.Dacl.cast()) }.cast(),
    };

    let mut captured = vec![0; RELATIVE_HEADER];
    captured[0] = 1;
    let mut kept = SE_SELF_RELATIVE | control & (SE_DACL_PRESENT | SE_DACL_PROTECTED);
    if !dacl.is_null() {
        // SAFETY: a valid ACL says its own size.
        let size = unsafe { (*dacl).AclSize };
        let start = captured.len();
        captured.resize(start + usize::from(size), 0);
        // SAFETY: the ACL has that size, and the room was just made.
        unsafe {
            ptr::copy_nonoverlapping(
                dacl.cast::<u8>(),
                captured[start..].as_mut_ptr(),
                usize::from(size),
            );
        }
        captured[DACL_OFFSET..][..4].copy_from_slice(&(RELATIVE_HEADER as u32).to_le_bytes());
        kept |= SE_DACL_PRESENT;
    }
    captured[2..4].copy_from_slice(&kept.to_le_bytes());
    captured
}
