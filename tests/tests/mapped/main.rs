//! A session's ring that its client reads in place: who may have one, what the client may do with
//! it, and how little that concerns anybody else.

mod asking;
mod ending;
mod races;
mod rights;
mod trust;
mod waking;
