//! Live events of every process on a Windows machine, from the driver `ntwatch.sys`.
//!
//! ```no_run
//! use ntwatch_client::{Driver, Filter};
//!
//! # fn main() -> Result<(), ntwatch_client::Error> {
//! let driver = Driver::open(ntwatch_client::DEFAULT_DEVICE)?;
//! for event in driver.watch(&Filter::new().image("cmd.exe"))? {
//!     let event = event?;
//!     println!("{} {}", event.time, event.body.name());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! - [`Driver`] is an open handle: version, counters, shutdown. A handle is a session.
//! - [`Filter`] says what a session wants, [`Watch`] is the stream of its events, [`Records`] that
//!   of the driver's records, lent from where they lie.
//! - [`Delivery`] says how they come: by the mapped ring or by reads, at once or in company.
//! - [`Rule`] keeps rights to a process from others, as long as its [`Driver`] is open.
//! - [`event`] has the events, which serialise to JSON by `schema/ntwatch-1.schema.json`.
//! - [`stats::Account`] says what became of the events that the driver saw.
//! - [`transport::Transport`] is the way to the driver: Windows' own, or a lab's on Unix.
//!
//! Opening the driver needs an administrator's elevated token.
// Allowed in `transport` alone, where memory is shared and Windows is called.
#![deny(unsafe_code)]

pub mod delivery;
pub mod device;
pub mod driver;
pub mod error;
pub mod event;
pub mod field;
pub mod filter;
pub mod format;
mod join;
mod modules;
mod names;
pub mod protect;
pub mod records;
pub mod rights;
mod session;
pub mod sid;
mod snapshot;
pub mod stats;
mod table;
pub mod time;
pub mod transport;
pub mod volumes;
pub mod watch;

pub use delivery::{Delivery, Route, Way};
pub use driver::Driver;
pub use error::{Error, FilterError, RuleError};
pub use event::{Body, Event};
pub use field::Field;
pub use filter::{Filter, Select};
pub use ntwatch_protocol as protocol;
pub use ntwatch_protocol::ioctl::WIN32_NAME as DEFAULT_DEVICE;
pub use protect::Rule;
pub use records::{End, Records, Stopper};
pub use rights::Rights;
pub use watch::Watch;
