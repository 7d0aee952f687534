//! Who may open what.

use super::{GenericMapping, Sid, Token};
use windows_sys::Win32::Foundation::{
    NTSTATUS, STATUS_ACCESS_DENIED, STATUS_INVALID_SECURITY_DESCR,
};

const MAXIMUM_ALLOWED: u32 = 0x0200_0000;
const READ_CONTROL: u32 = 0x0002_0000;
const WRITE_DAC: u32 = 0x0004_0000;

const SE_DACL_PRESENT: u16 = 0x0004;
const SE_SELF_RELATIVE: u16 = 0x8000;
const ACCESS_ALLOWED_ACE_TYPE: u8 = 0;
const ACCESS_DENIED_ACE_TYPE: u8 = 1;
const INHERIT_ONLY_ACE: u8 = 0x08;

/// `OWNER RIGHTS`: whoever owns the object.
fn owner_rights() -> Sid {
    Sid::new(3, &[4])
}

/// Decides whether `token` may have `desired` access to what `descriptor` (self-relative)
/// protects. Returns the access granted, without generic rights. An empty descriptor and one
/// without a DACL protect nothing.
///
/// Entries are taken in order; the first that names a right decides it (page "How DACLs Control
/// Access to an Object"). The owner may read and change the list whatever it says, unless it has
/// an entry about the owner's rights (page "Well-known SIDs").
///
/// # Errors
/// `STATUS_ACCESS_DENIED`; `STATUS_INVALID_SECURITY_DESCR` if it is not one.
pub(crate) fn access_check(
    descriptor: &[u8],
    mapping: &GenericMapping,
    token: &Token,
    desired: u32,
) -> Result<u32, NTSTATUS> {
    let maximum = desired & MAXIMUM_ALLOWED != 0;
    let desired = mapping.map(desired & !MAXIMUM_ALLOWED);
    let all = if maximum { mapping.all } else { desired };
    if descriptor.is_empty() {
        return Ok(all | desired);
    }
    let Some(mut entries) = dacl(descriptor).ok_or(STATUS_INVALID_SECURITY_DESCR)? else {
        return Ok(all | desired);
    };
    let owner = owner(descriptor).ok_or(STATUS_INVALID_SECURITY_DESCR)?;
    let is_owner = owner.is_some_and(|owner| token.has(&owner));
    entries.retain(|entry| entry.flags & INHERIT_ONLY_ACE == 0);
    let names_owner = entries.iter().any(|entry| entry.sid == owner_rights());
    let mut granted = match is_owner && !names_owner {
        true => READ_CONTROL | WRITE_DAC,
        false => 0,
    };
    let mut denied = 0;
    for entry in entries {
        let is_meant = token.has(&entry.sid) || is_owner && entry.sid == owner_rights();
        if !is_meant {
            continue;
        }
        let mask = mapping.map(entry.mask);
        match entry.kind {
            ACCESS_ALLOWED_ACE_TYPE => granted |= mask & !denied,
            ACCESS_DENIED_ACE_TYPE => denied |= mask & !granted,
            _ => {}
        }
    }
    match desired & !granted {
        0 if maximum && granted == 0 => Err(STATUS_ACCESS_DENIED),
        0 => Ok(granted & (all | desired)),
        _ => Err(STATUS_ACCESS_DENIED),
    }
}

struct Entry {
    kind: u8,
    flags: u8,
    mask: u32,
    sid: Sid,
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..)?.first_chunk().copied()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..)?.first_chunk().copied()?))
}

/// The owner that a descriptor names; `Some(None)` when it names none.
fn owner(descriptor: &[u8]) -> Option<Option<Sid>> {
    match u32_at(descriptor, 4)? as usize {
        0 => Some(None),
        offset => Sid::read(descriptor.get(offset..)?).map(Some),
    }
}

/// The entries of a descriptor's DACL; `Some(None)` when it has none (pages
/// "SECURITY_DESCRIPTOR", "ACL", "ACE_HEADER").
fn dacl(descriptor: &[u8]) -> Option<Option<Vec<Entry>>> {
    let control = u16_at(descriptor, 2)?;
    let offset = u32_at(descriptor, 16)? as usize;
    if descriptor[0] != 1 || control & SE_SELF_RELATIVE == 0 {
        return None;
    }
    if control & SE_DACL_PRESENT == 0 || offset == 0 {
        return Some(None);
    }
    let acl = descriptor.get(offset..)?;
    let acl = acl.get(..usize::from(u16_at(acl, 2)?))?;
    let count = u16_at(acl, 4)?;
    let mut rest = acl.get(8..)?;
    let mut entries = Vec::new();
    for _ in 0..count {
        let (entry, next) = rest.split_at_checked(usize::from(u16_at(rest, 2)?))?;
        let &[kind, flags, ..] = entry else {
            return None;
        };
        // Other kinds have other bodies; none of them decides here.
        if matches!(kind, ACCESS_ALLOWED_ACE_TYPE | ACCESS_DENIED_ACE_TYPE) {
            entries.push(Entry {
                kind,
                flags,
                mask: u32_at(entry, 4)?,
                sid: Sid::read(entry.get(8..)?)?,
            });
        }
        rest = next;
    }
    Some(Some(entries))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::se::generic::FILE;
    use proptest::prelude::*;

    const GENERIC_READ: u32 = 0x8000_0000;
    const GENERIC_ALL: u32 = 0x1000_0000;

    /// A self-relative descriptor with these entries.
    fn descriptor(entries: &[(u8, u32, Sid)]) -> Vec<u8> {
        let mut aces = Vec::new();
        for (kind, mask, sid) in entries {
            aces.extend([*kind, 0]);
            aces.extend((8 + sid.as_bytes().len() as u16).to_le_bytes());
            aces.extend(mask.to_le_bytes());
            aces.extend(sid.as_bytes());
        }
        let mut bytes = vec![1, 0];
        bytes.extend((SE_DACL_PRESENT | SE_SELF_RELATIVE).to_le_bytes());
        bytes.extend([0; 12]);
        bytes.extend(20u32.to_le_bytes());
        bytes.extend([2, 0]);
        bytes.extend((8 + aces.len() as u16).to_le_bytes());
        bytes.extend((entries.len() as u16).to_le_bytes());
        bytes.extend([0, 0]);
        bytes.extend(aces);
        bytes
    }

    /// `D:P(A;;GA;;;SY)(A;;GA;;;BA)`.
    fn system_and_administrators() -> Vec<u8> {
        descriptor(&[
            (ACCESS_ALLOWED_ACE_TYPE, GENERIC_ALL, Sid::new(5, &[18])),
            (
                ACCESS_ALLOWED_ACE_TYPE,
                GENERIC_ALL,
                Token::administrators(),
            ),
        ])
    }

    #[test]
    fn an_administrator_gets_what_he_asks_for_and_a_user_nothing() {
        let descriptor = system_and_administrators();
        let granted = access_check(&descriptor, &FILE, &Token::administrator(), GENERIC_READ);
        assert_eq!(granted, Ok(FILE.read));
        let granted = access_check(&descriptor, &FILE, &Token::system(), MAXIMUM_ALLOWED);
        assert_eq!(granted, Ok(FILE.all));
        for desired in [GENERIC_READ, 1, MAXIMUM_ALLOWED] {
            let granted = access_check(&descriptor, &FILE, &Token::standard_user(), desired);
            assert_eq!(granted, Err(STATUS_ACCESS_DENIED));
        }
    }

    #[test]
    fn the_first_entry_that_names_a_right_decides_it() {
        let everyone = Sid::new(1, &[0]);
        let deny_write = descriptor(&[
            (ACCESS_DENIED_ACE_TYPE, 2, everyone.clone()),
            (ACCESS_ALLOWED_ACE_TYPE, GENERIC_ALL, everyone),
        ]);
        let user = Token::standard_user();
        assert_eq!(access_check(&deny_write, &FILE, &user, 1), Ok(1));
        assert_eq!(
            access_check(&deny_write, &FILE, &user, 2),
            Err(STATUS_ACCESS_DENIED)
        );
    }

    #[test]
    fn an_empty_list_lets_nobody_in_and_no_list_lets_everybody_in() {
        let token = Token::administrator();
        assert_eq!(
            access_check(&descriptor(&[]), &FILE, &token, 1),
            Err(STATUS_ACCESS_DENIED)
        );
        assert_eq!(access_check(&[], &FILE, &token, 1), Ok(1));
    }

    #[test]
    fn an_owner_may_change_the_list_unless_it_says_what_owners_may() {
        let token = Token::administrator();
        let owned = |entries: &[(u8, u32, Sid)]| {
            let mut bytes = descriptor(entries);
            let owner = (bytes.len() as u32).to_le_bytes();
            bytes[4..8].copy_from_slice(&owner);
            bytes.extend(token.owner().unwrap().as_bytes());
            bytes
        };
        let granted = |bytes: &[u8], desired| access_check(bytes, &FILE, &token, desired);
        let silent = owned(&[]);
        assert_eq!(granted(&silent, WRITE_DAC), Ok(WRITE_DAC));
        assert_eq!(granted(&silent, 1), Err(STATUS_ACCESS_DENIED));
        for (rights, expected) in [
            (0, Err(STATUS_ACCESS_DENIED)),
            (READ_CONTROL, Ok(READ_CONTROL)),
        ] {
            let says = owned(&[(ACCESS_ALLOWED_ACE_TYPE, rights, owner_rights())]);
            assert_eq!(granted(&says, WRITE_DAC), Err(STATUS_ACCESS_DENIED));
            assert_eq!(granted(&says, MAXIMUM_ALLOWED), expected);
            let other = access_check(&says, &FILE, &Token::standard_user(), READ_CONTROL);
            assert_eq!(other, Err(STATUS_ACCESS_DENIED));
        }
    }

    proptest! {
        #[test]
        fn a_damaged_descriptor_is_refused_or_read_within_its_bounds(
            at in 0usize..80, byte: u8, len in 0usize..80,
        ) {
            let mut bytes = system_and_administrators();
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            bytes.truncate(len);
            let _ = access_check(&bytes, &FILE, &Token::standard_user(), GENERIC_READ);
        }
    }
}
