//! What of an object somebody may have.

use crate::mm::Section;
use crate::ob::{AnyObject, Kind};
use crate::se::generic::{EVENT, GenericMapping, SECTION};
use crate::se::{self, Token};
use windows_sys::Win32::Foundation::NTSTATUS;

/// What generic rights stand for with objects of this type. Drivers and programs of the model ask
/// for none to the others.
fn mapping(kind: Kind) -> Option<&'static GenericMapping> {
    match kind {
        Kind::Section => Some(&SECTION),
        Kind::Event => Some(&EVENT),
        _ => None,
    }
}

/// `desired` without generic rights.
pub(crate) fn specific(object: &AnyObject, desired: u32) -> u32 {
    mapping(object.kind()).map_or(desired, |mapping| mapping.map(desired))
}

/// The rights that somebody who has `token` is granted of those `desired`, by the descriptor that
/// the object was made with. Without one everybody is granted everything.
///
/// # Errors
/// As for [`se::access_check`].
pub(crate) fn check(object: &AnyObject, token: &Token, desired: u32) -> Result<u32, NTSTATUS> {
    let Some(mapping) = mapping(object.kind()) else {
        return Ok(desired);
    };
    match object.clone().downcast::<Section>() {
        Ok(section) => se::access_check(section.descriptor(), mapping, token, desired),
        Err(_) => se::access_check(&[], mapping, token, desired),
    }
}
