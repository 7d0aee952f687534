//! Security identifiers.

use std::fmt::Write;

/// `S-1-5-…` for a binary SID (page "SID structure"); `None` when the bytes are not one.
#[must_use]
pub fn to_text(sid: &[u8]) -> Option<String> {
    let (&[revision, count], rest) = sid.split_first_chunk()?;
    let (authority, subs) = rest.split_first_chunk::<6>()?;
    if revision != 1 || subs.len() != usize::from(count) * 4 {
        return None;
    }
    // 48 bits, big endian; written in hexadecimal from 2^32 on.
    let authority = authority
        .iter()
        .fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
    let mut text = match authority {
        0..=0xffff_ffff => format!("S-1-{authority}"),
        _ => format!("S-1-{authority:#x}"),
    };
    for sub in subs.as_chunks::<4>().0 {
        let _ = write!(text, "-{}", u32::from_le_bytes(*sub));
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_sid_is_shown_as_windows_shows_it() {
        let system = [1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0];
        assert_eq!(to_text(&system).as_deref(), Some("S-1-5-18"));
        let administrators = [1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 32, 2, 0, 0];
        assert_eq!(to_text(&administrators).as_deref(), Some("S-1-5-32-544"));
        let high = [1, 0, 1, 0, 0, 0, 0, 0];
        assert_eq!(to_text(&high).as_deref(), Some("S-1-0x10000000000"));
    }

    proptest! {
        #[test]
        fn rubbish_is_no_sid(bytes: Vec<u8>) {
            if to_text(&bytes).is_some() {
                prop_assert_eq!(bytes.len(), 8 + 4 * usize::from(bytes[1]));
            }
        }
    }
}
