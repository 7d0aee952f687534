//! Tokens, SIDs, accounts, privileges, rights and access checks.

mod access;
mod account;
pub(crate) mod generic;
pub(crate) mod information;
pub(crate) mod privilege;
mod sid;
mod token;

pub(crate) use access::access_check;
pub use account::Accounts;
pub(crate) use generic::GenericMapping;
pub use privilege::Privileges;
pub use sid::{NotASid, Sid};
pub use token::Token;
