//! The object manager: reference counts, types, the census of live objects, handles, who
//! may have them and who is asked about them.

pub(crate) mod callback;
pub(crate) mod handle;
pub mod object;
pub(crate) mod reference;
pub(crate) mod security;
pub(crate) mod types;

pub use callback::{Callbacks, HostCallbacks};
pub use handle::HandleTable;
pub use object::{AnyObject, Census, Held, Kind, Object, ObjectRef};
pub(crate) use types::ObjectType;
