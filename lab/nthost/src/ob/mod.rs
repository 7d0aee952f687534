//! The object manager: reference counts, types, the census of live objects.

pub mod object;
pub(crate) mod reference;

pub use object::{AnyObject, Census, Held, Kind, Object, ObjectRef};
