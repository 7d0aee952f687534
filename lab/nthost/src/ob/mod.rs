//! The object manager: reference counts, types, the census of live objects.

pub(crate) mod handle;
pub mod object;
pub(crate) mod reference;
pub(crate) mod types;

pub use handle::HandleTable;
pub use object::{AnyObject, Census, Held, Kind, Object, ObjectRef};
pub(crate) use types::ObjectType;
