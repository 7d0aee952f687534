//! Object types, as drivers name them to say what they expect.

use super::Kind;
use crate::exports::exports;

exports! {
    data: PsProcessType, PsThreadType, SeTokenObjectType;
}

/// What an `OBJECT_TYPE` is to a driver: an address.
#[derive(Debug)]
pub(crate) struct ObjectType(Kind);

impl ObjectType {
    pub(crate) fn kind(&self) -> Kind {
        self.0
    }
}

// The exported variables hold the address of the type.
static PsProcessType: &ObjectType = &ObjectType(Kind::Process);
static PsThreadType: &ObjectType = &ObjectType(Kind::Thread);
static SeTokenObjectType: &ObjectType = &ObjectType(Kind::Token);
