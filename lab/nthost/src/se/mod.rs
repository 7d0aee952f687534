//! Tokens, SIDs, accounts, privileges and access checks.

mod access;
mod account;
pub(crate) mod information;
pub(crate) mod privilege;
mod sid;
mod token;

pub use access::access_check;
pub use account::Accounts;
pub use privilege::Privileges;
pub use sid::{NotASid, Sid};
pub use token::Token;
