//! Tokens, SIDs, accounts and access checks.

mod access;
mod account;
pub(crate) mod information;
mod sid;
mod token;

pub use access::access_check;
pub use account::Accounts;
pub use sid::{NotASid, Sid};
pub use token::Token;
