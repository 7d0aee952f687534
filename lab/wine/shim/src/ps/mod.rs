//! Processes and threads: what they tell, and what is told of them.

pub(crate) mod acting;
mod facts;
mod notify;
pub(crate) mod poll;
mod running;
