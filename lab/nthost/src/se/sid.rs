//! Security identifiers.

use std::fmt;
use std::str::FromStr;

/// A SID in its binary form: revision, count of sub-authorities, authority (6 bytes, big
/// endian), sub-authorities (4 bytes each, little endian).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sid(Box<[u8]>);

const REVISION: u8 = 1;
const MAX_SUB_AUTHORITIES: usize = 15;
const HEAD: usize = 8;

impl Sid {
    /// The SID of an authority and its sub-authorities, of which there are at most 15.
    ///
    /// # Panics
    /// When there are more.
    pub fn new(authority: u64, sub_authorities: &[u32]) -> Sid {
        assert!(
            sub_authorities.len() <= MAX_SUB_AUTHORITIES,
            "too long for a SID"
        );
        let mut bytes = vec![REVISION, sub_authorities.len() as u8];
        bytes.extend_from_slice(&authority.to_be_bytes()[2..]);
        bytes.extend(sub_authorities.iter().flat_map(|sub| sub.to_le_bytes()));
        Sid(bytes.into())
    }

    /// The SID that `bytes` begin with.
    pub fn read(bytes: &[u8]) -> Option<Sid> {
        let &[revision, count, ..] = bytes else {
            return None;
        };
        let len = HEAD + 4 * usize::from(count);
        if revision != REVISION || usize::from(count) > MAX_SUB_AUTHORITIES {
            return None;
        }
        Some(Sid(bytes.get(..len)?.into()))
    }

    /// The SID as it lies in memory.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn authority(&self) -> u64 {
        self.0[2..HEAD]
            .iter()
            .fold(0, |authority, byte| authority << 8 | u64::from(*byte))
    }

    fn sub_authorities(&self) -> impl Iterator<Item = u32> + '_ {
        let (subs, _) = self.0[HEAD..].as_chunks::<4>();
        subs.iter().map(|sub| u32::from_le_bytes(*sub))
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S-{REVISION}-{}", self.authority())?;
        self.sub_authorities()
            .try_for_each(|sub| write!(f, "-{sub}"))
    }
}

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not a SID such as `S-1-5-18`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a SID; one looks like S-1-5-18")]
pub struct NotASid(String);

impl FromStr for Sid {
    type Err = NotASid;

    fn from_str(text: &str) -> Result<Sid, NotASid> {
        let parse = || {
            let mut parts = text.strip_prefix("S-1-")?.split('-');
            let authority = parts.next()?.parse().ok().filter(|a| *a < 1 << 48)?;
            let subs: Vec<u32> = parts.map(str::parse).collect::<Result<_, _>>().ok()?;
            (subs.len() <= MAX_SUB_AUTHORITIES).then(|| Sid::new(authority, &subs))
        };
        parse().ok_or_else(|| NotASid(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_sid_reads_as_it_was_written(
            authority in 0u64..1 << 48,
            subs in prop::collection::vec(any::<u32>(), 0..=15),
        ) {
            let sid = Sid::new(authority, &subs);
            prop_assert_eq!(sid.to_string().parse::<Sid>().unwrap(), sid.clone());
            prop_assert_eq!(Sid::read(sid.as_bytes()), Some(sid));
        }

        #[test]
        fn rubbish_is_no_sid_or_one_within_it(bytes: Vec<u8>, text: String) {
            if let Some(sid) = Sid::read(&bytes) {
                prop_assert!(bytes.starts_with(sid.as_bytes()));
            }
            let _ = text.parse::<Sid>();
        }
    }
}
