//! Object types, as drivers name them to say what they expect.

use super::Kind;
use crate::exports::exports;

exports! {
    data: ExEventObjectType, PsProcessType, PsThreadType, SeTokenObjectType;
}

/// What an `OBJECT_TYPE` is to a driver: an address.
#[derive(Debug)]
pub(crate) struct ObjectType(Kind);

impl ObjectType {
    pub(crate) fn kind(&self) -> Kind {
        self.0
    }

    /// The type that drivers can name, if they can.
    pub(crate) fn of(kind: Kind) -> Option<&'static ObjectType> {
        let named = [
            ExEventObjectType,
            PsProcessType,
            PsThreadType,
            SeTokenObjectType,
        ];
        named.into_iter().find(|named| named.kind() == kind)
    }
}

// The exported variables hold the address of the type.
static ExEventObjectType: &ObjectType = &ObjectType(Kind::Event);
static PsProcessType: &ObjectType = &ObjectType(Kind::Process);
static PsThreadType: &ObjectType = &ObjectType(Kind::Thread);
static SeTokenObjectType: &ObjectType = &ObjectType(Kind::Token);
