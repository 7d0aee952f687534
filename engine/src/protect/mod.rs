//! Protection: which rights to which processes nobody is to get.
//!
//! [`Rules`] is the writers' side, which the caller puts behind a lock: rules by session.
//! [`Denials`] is what the callbacks ask, without one: rights by process.

mod denials;
mod rules;

pub use denials::Denials;
pub use rules::{Full, Rules};
