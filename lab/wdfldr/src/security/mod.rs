//! The security descriptor of a device, out of its SDDL string.

mod sddl;
mod sid;

use alloc::vec::Vec;

use sddl::Parsed;
pub(crate) use sddl::SddlError;
use sid::Sid;

/// Self-relative, owner, group and DACL; no SACL.
pub(crate) struct SecurityDescriptor(Vec<u8>);

/// An entry of the DACL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Ace {
    /// `ACCESS_ALLOWED_ACE_TYPE` (0) or `ACCESS_DENIED_ACE_TYPE` (1).
    ace_type: u8,
    flags: u8,
    mask: u32,
    sid: Sid,
}

const REVISION: u8 = 1;
const ACL_REVISION: u8 = 2;
const SE_DACL_PRESENT: u16 = 0x0004;
const SE_SELF_RELATIVE: u16 = 0x8000;
const HEADER_SIZE: usize = 20;
const ACL_HEADER_SIZE: usize = 8;
const ACE_HEADER_SIZE: usize = 8;

impl SecurityDescriptor {
    /// Reads a string of the Security Descriptor Definition Language: owner, group and DACL, with
    /// the ACE types, rights and SIDs that make sense for a device (page "SDDL for Device
    /// Objects").
    ///
    /// # Errors
    /// What it does not understand, and no room for the result.
    pub(crate) fn from_sddl(text: &[u16]) -> Result<Self, SddlError> {
        Self::build(&sddl::parse(text)?)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn build(parsed: &Parsed) -> Result<Self, SddlError> {
        let sids = [&parsed.owner, &parsed.group];
        let sids_size: usize = sids.into_iter().flatten().map(Sid::size).sum();
        let aces_size: usize = parsed.aces.iter().map(ace_size).sum();
        let acl_size = match parsed.has_dacl {
            true => ACL_HEADER_SIZE + aces_size,
            false => 0,
        };
        let acl_length = u16::try_from(acl_size).map_err(|_| SddlError::TooLong)?;

        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(HEADER_SIZE + sids_size + acl_size)
            .map_err(|_| SddlError::NoMemory)?;
        let mut offset = HEADER_SIZE;
        let mut place = |size: usize| -> u32 {
            let at = offset;
            offset += size;
            if size == 0 { 0 } else { at as u32 }
        };
        let owner = place(parsed.owner.as_ref().map_or(0, Sid::size));
        let group = place(parsed.group.as_ref().map_or(0, Sid::size));
        let dacl = place(acl_size);
        let present = if parsed.has_dacl { SE_DACL_PRESENT } else { 0 };
        let control = SE_SELF_RELATIVE | present | parsed.control;

        bytes.extend_from_slice(&[REVISION, 0]);
        bytes.extend_from_slice(&control.to_le_bytes());
        for offset in [owner, group, 0, dacl] {
            bytes.extend_from_slice(&offset.to_le_bytes());
        }
        for sid in sids.into_iter().flatten() {
            sid.write(&mut bytes);
        }
        if parsed.has_dacl {
            bytes.extend_from_slice(&[ACL_REVISION, 0]);
            bytes.extend_from_slice(&acl_length.to_le_bytes());
            bytes.extend_from_slice(&(parsed.aces.len() as u16).to_le_bytes());
            bytes.extend_from_slice(&[0, 0]);
            for ace in &parsed.aces {
                bytes.extend_from_slice(&[ace.ace_type, ace.flags]);
                bytes.extend_from_slice(&(ace_size(ace) as u16).to_le_bytes());
                bytes.extend_from_slice(&ace.mask.to_le_bytes());
                ace.sid.write(&mut bytes);
            }
        }
        Ok(Self(bytes))
    }
}

fn ace_size(ace: &Ace) -> usize {
    ACE_HEADER_SIZE + ace.sid.size()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn units(text: &str) -> Vec<u16> {
        text.encode_utf16().collect()
    }

    fn built(text: &str) -> Result<Vec<u8>, SddlError> {
        SecurityDescriptor::from_sddl(&units(text)).map(|descriptor| descriptor.0)
    }

    #[test]
    fn system_and_administrators_alone_is_the_descriptor_windows_makes() {
        // As ConvertStringSecurityDescriptorToSecurityDescriptorW documents the structures.
        let expected: &[u8] = &[
            1, 0, 0x04, 0x90, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0, // header
            2, 0, 52, 0, 2, 0, 0, 0, // ACL
            0, 0, 20, 0, 0, 0, 0, 0x10, 1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0, // SY
            0, 0, 24, 0, 0, 0, 0, 0x10, 1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0,
            0, // BA
        ];
        assert_eq!(built("D:P(A;;GA;;;SY)(A;;GA;;;BA)").unwrap(), expected);
    }

    #[test]
    fn an_owner_and_a_group_precede_the_dacl() {
        let bytes = built("O:BAG:SYD:(D;OICI;0x1f;;;S-1-1-0)").unwrap();
        assert_eq!(bytes[2..4], [0x04, 0x80]);
        assert_eq!((bytes[4], bytes[8], bytes[16]), (20, 36, 48));
        assert_eq!(bytes[48..56], [2, 0, 28, 0, 1, 0, 0, 0]);
        assert_eq!(bytes[56..64], [1, 3, 20, 0, 0x1f, 0, 0, 0]);
        assert_eq!(bytes.len(), 48 + 28);
    }

    #[test]
    fn a_dacl_without_entries_is_present_and_refuses_everyone() {
        let bytes = built("D:P").unwrap();
        assert_eq!(bytes[20..], [2, 0, 8, 0, 0, 0, 0, 0]);
        assert_eq!(bytes[16], 20);
    }

    #[test]
    fn what_is_no_sddl_is_an_error() {
        for text in [
            "X:P",
            "D:(",
            "D:(A;;GA;;;SY",
            "D:(A;;GA;;SY)",
            "D:(A;;QQ;;;SY)",
            "D:(A;;GA;;;??)",
            "D:(ZZ;;GA;;;SY)",
            "D:(A;;GA;;;S-1-5)",
            "D:(A;;0xFFFFFFFFF;;;SY)",
            "D:PD:P",
            "O:",
            "D:p",
            "D:(A;;GA;;;SY) ",
            "S:(AU;SA;GA;;;WD)",
        ] {
            assert!(built(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_text_is_an_error_or_a_descriptor_that_holds_together(
            text in "(O:(BA|SY)|G:BA|D:P?|\\([AD];(OI|CI)*;(GA|GR|0x[0-9a-f]{1,8})*;;;(SY|BA|S-1-5-[0-9]{1,11}(-[0-9]{1,3}){0,16})\\)|.){0,12}"
        ) {
            if let Ok(bytes) = built(&text) {
                prop_assert!(bytes.len() >= HEADER_SIZE);
                let dacl = u32::from_le_bytes(bytes[16..20].try_into().unwrap()) as usize;
                if dacl != 0 {
                    let size = u16::from_le_bytes([bytes[dacl + 2], bytes[dacl + 3]]) as usize;
                    prop_assert_eq!(dacl + size, bytes.len());
                }
            }
        }

        #[test]
        fn any_mask_and_sid_come_out_as_they_went_in(
            mask: u32, authority in 0u64..1 << 48, parts in prop::collection::vec(any::<u32>(), 1..=15)
        ) {
            let tail: String = parts.iter().map(|part| format!("-{part}")).collect();
            let bytes = built(&format!("D:(A;;0x{mask:x};;;S-1-{authority}{tail})")).unwrap();
            let ace = &bytes[HEADER_SIZE + ACL_HEADER_SIZE..];
            prop_assert_eq!(u32::from_le_bytes(ace[4..8].try_into().unwrap()), mask);
            prop_assert_eq!(ace[9] as usize, parts.len());
            prop_assert_eq!(&ace[10..16], &authority.to_be_bytes()[2..]);
            let written: Vec<u32> =
                ace[16..].chunks(4).map(|part| u32::from_le_bytes(part.try_into().unwrap())).collect();
            prop_assert_eq!(written, parts);
        }
    }
}
