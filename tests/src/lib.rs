//! What the end-to-end tests share: the built lab, its programs, and recordings read by a second,
//! independent reader.
#![deny(unsafe_code)]

pub mod account;
pub mod activity;
pub mod hold;
pub mod lab;
pub mod machine;
pub mod mapped;
pub mod races;
pub mod raw;
pub mod recording;
pub mod turmoil;
pub mod verify;
pub mod watchdog;
pub mod watcher;
