//! The configuration manager: keys of the registry and their values.

pub(crate) mod key;
mod value;

pub use key::Key;
pub use value::Value;

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

/// The values of a key.
type Values = Arc<[(String, Value)]>;

/// The registry of one machine: what the model's services have there.
#[derive(Debug, Default)]
pub struct Registry {
    /// By the full path in lower case: case does not count.
    keys: RwLock<HashMap<String, Values>>,
}

impl Registry {
    /// Makes the key at `path`, such as `\Registry\Machine\…`, with these values. Replaces the one
    /// that was there; who has that open keeps seeing its values.
    pub fn set(&self, path: &str, values: &[(String, Value)]) {
        let mut keys = self.keys.write().unwrap();
        keys.insert(path.to_lowercase(), values.into());
    }

    fn find(&self, path: &str) -> Option<Values> {
        let keys = self.keys.read().unwrap();
        keys.get(&path.to_lowercase()).cloned()
    }
}
