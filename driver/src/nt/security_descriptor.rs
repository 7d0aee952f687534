//! Security descriptors, self-relative (MS-DTYP 2.4.6).

/// In SDDL `D:P(A;;RC;;;OW)`: the owner may read the descriptor, and nobody may do anything else.
///
/// For objects whose handles are opened in the kernel's name, with the rights that they are to
/// have. Who is given one cannot add to them by `DuplicateHandle`, which asks the descriptor.
/// N.B. Without an entry for `OWNER RIGHTS` the owner could write another list at any time.
pub(super) static NOBODY: SecurityDescriptor = SecurityDescriptor {
    revision: 1,
    reserved: 0,
    control: SE_SELF_RELATIVE | SE_DACL_PROTECTED | SE_DACL_PRESENT,
    // Of whoever makes the object.
    owner: 0,
    group: 0,
    system_list: 0,
    list: core::mem::offset_of!(SecurityDescriptor, acl) as u32,
    acl: Acl {
        revision: 2,
        reserved: 0,
        size: size_of::<Acl>() as u16,
        count: 1,
        reserved_too: 0,
        ace: Ace {
            ace_type: ACCESS_ALLOWED,
            flags: 0,
            size: size_of::<Ace>() as u16,
            mask: wdk_sys::READ_CONTROL,
            sid: OWNER_RIGHTS,
        },
    },
};

const SE_DACL_PRESENT: u16 = 0x0004;
const SE_DACL_PROTECTED: u16 = 0x1000;
const SE_SELF_RELATIVE: u16 = 0x8000;
const ACCESS_ALLOWED: u8 = 0;

/// S-1-3-4 (page "Well-known SIDs").
const OWNER_RIGHTS: Sid = Sid {
    revision: 1,
    count: 1,
    authority: [0, 0, 0, 0, 0, 3],
    sub_authority: 4,
};

/// `SECURITY_DESCRIPTOR` with a list behind it. What it points to it names by offset, 0 for none.
#[repr(C)]
pub(super) struct SecurityDescriptor {
    revision: u8,
    reserved: u8,
    control: u16,
    owner: u32,
    group: u32,
    system_list: u32,
    list: u32,
    acl: Acl,
}

/// `ACL` with one entry (MS-DTYP 2.4.5).
#[repr(C)]
struct Acl {
    revision: u8,
    reserved: u8,
    size: u16,
    count: u16,
    reserved_too: u16,
    ace: Ace,
}

/// `ACCESS_ALLOWED_ACE` (MS-DTYP 2.4.4.2).
#[repr(C)]
struct Ace {
    ace_type: u8,
    flags: u8,
    size: u16,
    mask: u32,
    sid: Sid,
}

/// `SID` with one sub-authority (MS-DTYP 2.4.2.2).
#[repr(C)]
struct Sid {
    revision: u8,
    count: u8,
    authority: [u8; 6],
    sub_authority: u32,
}

const _: () = {
    assert!(core::mem::offset_of!(SecurityDescriptor, acl) == 20);
    assert!(size_of::<SecurityDescriptor>() == 20 + 8 + 8 + 12);
};
