//! Reading SDDL (page "Security Descriptor String Format").

use alloc::string::String;
use alloc::vec::Vec;

use super::Ace;
use super::sid::{Sid, number};

/// Why a string gives no security descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SddlError {
    /// Not the form of an SDDL string, or a part of it that a device has no use for.
    Malformed,
    /// More than an ACL can hold.
    TooLong,
    NoMemory,
}

/// The parts of a string.
#[derive(Default, Debug)]
pub(super) struct Parsed {
    pub(super) owner: Option<Sid>,
    pub(super) group: Option<Sid>,
    pub(super) has_dacl: bool,
    /// `SE_DACL_…` flags of the control word.
    pub(super) control: u16,
    pub(super) aces: Vec<Ace>,
}

pub(super) fn parse(text: &[u16]) -> Result<Parsed, SddlError> {
    let mut ascii = String::new();
    ascii
        .try_reserve_exact(text.len())
        .map_err(|_| SddlError::NoMemory)?;
    for unit in text {
        let byte = u8::try_from(*unit)
            .ok()
            .filter(u8::is_ascii)
            .ok_or(SddlError::Malformed)?;
        ascii.push(char::from(byte));
    }
    let mut parsed = Parsed::default();
    let mut rest = ascii.as_str();
    while !rest.is_empty() {
        rest = match rest.split_at_checked(2) {
            Some(("O:", after)) if parsed.owner.is_none() => sid(after, &mut parsed.owner)?,
            Some(("G:", after)) if parsed.group.is_none() => sid(after, &mut parsed.group)?,
            Some(("D:", after)) if !parsed.has_dacl => dacl(after, &mut parsed)?,
            _ => return Err(SddlError::Malformed),
        };
    }
    Ok(parsed)
}

/// An owner or group, up to the next part.
fn sid<'a>(text: &'a str, place: &mut Option<Sid>) -> Result<&'a str, SddlError> {
    // The letter before a colon begins the next part.
    let end = text
        .find(':')
        .map_or(Some(text.len()), |colon| colon.checked_sub(1));
    let (name, rest) = end
        .and_then(|end| text.split_at_checked(end))
        .ok_or(SddlError::Malformed)?;
    *place = Some(sid_of(name)?);
    Ok(rest)
}

fn sid_of(name: &str) -> Result<Sid, SddlError> {
    Sid::from_alias(name)
        .or_else(|| Sid::from_text(name))
        .ok_or(SddlError::Malformed)
}

fn dacl<'a>(text: &'a str, parsed: &mut Parsed) -> Result<&'a str, SddlError> {
    parsed.has_dacl = true;
    let mut rest = text;
    loop {
        let (flag, after) = if let Some(after) = rest.strip_prefix("AR") {
            (0x0100, after)
        } else if let Some(after) = rest.strip_prefix("AI") {
            (0x0400, after)
        } else if let Some(after) = rest.strip_prefix('P') {
            (0x1000, after)
        } else {
            break;
        };
        parsed.control |= flag;
        rest = after;
    }
    while let Some(after) = rest.strip_prefix('(') {
        let (fields, after) = after.split_once(')').ok_or(SddlError::Malformed)?;
        parsed
            .aces
            .try_reserve(1)
            .map_err(|_| SddlError::NoMemory)?;
        parsed.aces.push(ace(fields)?);
        rest = after;
    }
    Ok(rest)
}

/// `type;flags;rights;object;inherited object;SID`, the objects empty.
fn ace(text: &str) -> Result<Ace, SddlError> {
    let mut fields = text.split(';');
    let mut next = || fields.next().ok_or(SddlError::Malformed);
    let (ace_type, flags, rights) = (next()?, next()?, next()?);
    let (object, inherited_object, sid) = (next()?, next()?, next()?);
    if !object.is_empty() || !inherited_object.is_empty() || fields.next().is_some() {
        return Err(SddlError::Malformed);
    }
    Ok(Ace {
        ace_type: match ace_type {
            "A" => 0,
            "D" => 1,
            _ => return Err(SddlError::Malformed),
        },
        flags: pairs(flags, ace_flag)? as u8,
        mask: match number(rights) {
            Some(mask) => u32::try_from(mask).map_err(|_| SddlError::Malformed)?,
            None => pairs(rights, right)?,
        },
        sid: sid_of(sid)?,
    })
}

/// The union of two-letter words.
fn pairs(text: &str, meaning: fn(&str) -> Option<u32>) -> Result<u32, SddlError> {
    let (mut all, mut rest) = (0, text);
    while !rest.is_empty() {
        let (word, after) = rest.split_at_checked(2).ok_or(SddlError::Malformed)?;
        all |= meaning(word).ok_or(SddlError::Malformed)?;
        rest = after;
    }
    Ok(all)
}

fn ace_flag(word: &str) -> Option<u32> {
    Some(match word {
        "OI" => 0x01,
        "CI" => 0x02,
        "NP" => 0x04,
        "IO" => 0x08,
        "ID" => 0x10,
        _ => return None,
    })
}

/// Generic, standard and file rights.
fn right(word: &str) -> Option<u32> {
    Some(match word {
        "GA" => 0x1000_0000,
        "GX" => 0x2000_0000,
        "GW" => 0x4000_0000,
        "GR" => 0x8000_0000,
        "SD" => 0x0001_0000,
        "RC" => 0x0002_0000,
        "WD" => 0x0004_0000,
        "WO" => 0x0008_0000,
        "FA" => 0x001F_01FF,
        "FR" => 0x0012_0089,
        "FW" => 0x0012_0116,
        "FX" => 0x0012_00A0,
        "CC" => 0x0001,
        "DC" => 0x0002,
        "LC" => 0x0004,
        "SW" => 0x0008,
        "RP" => 0x0010,
        "WP" => 0x0020,
        "DT" => 0x0040,
        "LO" => 0x0080,
        "CR" => 0x0100,
        _ => return None,
    })
}
