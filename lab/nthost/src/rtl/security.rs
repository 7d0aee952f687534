//! SIDs and security descriptors.

use std::ffi::c_void;
use std::ptr;

use windows_sys::Win32::Security::{ACL, SECURITY_DESCRIPTOR, SID};

use crate::exports::exports;

exports! {
    DISPATCH_LEVEL: RtlLengthSid, RtlValidSid;
}

const SE_DACL_PRESENT: u16 = 0x0004;
const SE_DACL_PROTECTED: u16 = 0x1000;
const SE_SELF_RELATIVE: u16 = 0x8000;
const SID_REVISION: u8 = 1;
const SID_MAX_SUB_AUTHORITIES: u8 = 15;
/// The size of a self-relative descriptor without what it refers to.
const RELATIVE_HEADER: usize = 20;

/// IRQL: any, if the SID is resident.
unsafe extern "win64" fn RtlLengthSid(sid: *const SID) -> u32 {
    // SAFETY: the driver passes a SID.
    8 + 4 * u32::from(unsafe { (*sid).SubAuthorityCount })
}

/// IRQL: any, if the SID is resident.
unsafe extern "win64" fn RtlValidSid(sid: *const SID) -> u8 {
    // SAFETY: the driver passes what it takes for a SID, or null.
    let sid = unsafe { sid.as_ref() };
    u8::from(sid.is_some_and(|sid| {
        sid.Revision == SID_REVISION && sid.SubAuthorityCount <= SID_MAX_SUB_AUTHORITIES
    }))
}

/// The DACL of a driver's security descriptor, absolute or self-relative, as a self-relative
/// descriptor that holds nothing else. A descriptor without a DACL grants everything to everybody.
///
/// # Safety
/// `descriptor` points to a valid security descriptor.
pub(crate) unsafe fn capture_dacl(descriptor: *const c_void) -> Vec<u8> {
    let header = descriptor.cast::<SECURITY_DESCRIPTOR>();
    // SAFETY: both forms begin alike, and the control word is in that part.
    let control = unsafe { (*header).Control };
    let dacl: *const ACL = if control & SE_DACL_PRESENT == 0 {
        ptr::null()
    } else if control & SE_SELF_RELATIVE != 0 {
        // SAFETY: in the self-relative form the DACL's offset is at byte 16.
        let offset = unsafe {
            descriptor
                .wrapping_byte_add(16)
                .cast::<u32>()
                .read_unaligned()
        };
        if offset == 0 {
            ptr::null()
        } else {
            descriptor.wrapping_byte_add(offset as usize).cast()
        }
    } else {
        // SAFETY: the absolute form has a pointer.
        unsafe { (*header).Dacl }
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
        captured[16..20].copy_from_slice(&(RELATIVE_HEADER as u32).to_le_bytes());
        kept |= SE_DACL_PRESENT;
    }
    captured[2..4].copy_from_slice(&kept.to_le_bytes());
    captured
}
