//! Every call of the driver's that can fail does, one at a time: the driver says so, or does
//! without, keeps its account, and leaves nothing behind.

mod load;
mod once;
mod removal;
mod session;
mod stack;
mod storm;
