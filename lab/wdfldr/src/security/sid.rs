//! Security identifiers.

use alloc::vec::Vec;

const MAX_PARTS: usize = 15;

/// A SID of revision 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Sid {
    authority: u64,
    parts: [u32; MAX_PARTS],
    count: usize,
}

/// `SECURITY_NT_AUTHORITY` and the first part of the built-in groups.
const NT: u64 = 5;
const BUILTIN: u32 = 32;

impl Sid {
    fn new(authority: u64, parts: &[u32]) -> Option<Self> {
        let mut sid = Self {
            authority,
            parts: [0; MAX_PARTS],
            count: parts.len(),
        };
        sid.parts.get_mut(..parts.len())?.copy_from_slice(parts);
        Some(sid)
    }

    /// The two-letter names that stand for the same SID on every machine (page "SID Strings").
    pub(super) fn from_alias(alias: &str) -> Option<Self> {
        let (authority, parts): (u64, &[u32]) = match alias {
            "WD" => (1, &[0]),
            "CO" => (3, &[0]),
            "CG" => (3, &[1]),
            "NU" => (NT, &[2]),
            "IU" => (NT, &[4]),
            "SU" => (NT, &[6]),
            "AN" => (NT, &[7]),
            "ED" => (NT, &[9]),
            "PS" => (NT, &[10]),
            "AU" => (NT, &[11]),
            "RC" => (NT, &[12]),
            "SY" => (NT, &[18]),
            "LS" => (NT, &[19]),
            "NS" => (NT, &[20]),
            "WR" => (NT, &[33]),
            "BA" => (NT, &[BUILTIN, 544]),
            "BU" => (NT, &[BUILTIN, 545]),
            "BG" => (NT, &[BUILTIN, 546]),
            "PU" => (NT, &[BUILTIN, 547]),
            "AO" => (NT, &[BUILTIN, 548]),
            "SO" => (NT, &[BUILTIN, 549]),
            "PO" => (NT, &[BUILTIN, 550]),
            "BO" => (NT, &[BUILTIN, 551]),
            "NO" => (NT, &[BUILTIN, 556]),
            "AC" => (15, &[2, 1]),
            _ => return None,
        };
        Self::new(authority, parts)
    }

    /// `S-1-5-18`. At least one part follows the authority.
    pub(super) fn from_text(text: &str) -> Option<Self> {
        let mut numbers = text.strip_prefix("S-1-")?.split('-');
        let authority = number(numbers.next()?)?;
        let mut parts = [0; MAX_PARTS];
        let mut count = 0;
        for part in numbers {
            *parts.get_mut(count)? = u32::try_from(number(part)?).ok()?;
            count += 1;
        }
        (count != 0 && authority < 1 << 48).then_some(Self {
            authority,
            parts,
            count,
        })
    }

    /// In bytes.
    pub(super) fn size(&self) -> usize {
        8 + 4 * self.count
    }

    pub(super) fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&[1, self.count as u8]);
        bytes.extend_from_slice(&self.authority.to_be_bytes()[2..]);
        for part in &self.parts[..self.count] {
            bytes.extend_from_slice(&part.to_le_bytes());
        }
    }
}

/// Decimal, or hexadecimal after `0x`; no sign.
pub(super) fn number(text: &str) -> Option<u64> {
    let (digits, radix) = match text.strip_prefix("0x") {
        Some(digits) => (digits, 16),
        None => (text, 10),
    };
    match digits.starts_with('+') {
        true => None,
        false => u64::from_str_radix(digits, radix).ok(),
    }
}
