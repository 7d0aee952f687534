//! Who made a thing.

use super::{Stack, Whereabouts};
use std::fmt;

/// Who called for a thing to be made, on a machine that verifies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin(Option<Stack>);

impl Origin {
    /// Whose call this thread is in.
    pub(crate) fn here() -> Origin {
        Origin(Whereabouts::now().map(|at| at.stack()))
    }
}

impl fmt::Display for Origin {
    /// As what follows the name of the thing; nothing if it is not known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(stack) => write!(f, ", made by{stack}"),
            None => Ok(()),
        }
    }
}
