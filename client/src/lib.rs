//! Live events of every process on a Windows machine, from the driver `ntwatch.sys`.
//!
//! Open the driver, say what you want, and take the events as they come:
//!
//! ```no_run
//! use ntwatch_client::protocol::record::Kind;
//! use ntwatch_client::{Body, DEFAULT_DEVICE, Driver, Error, Filter};
//!
//! # fn main() -> Result<(), Error> {
//! let filter = Filter::new().event(Kind::ProcessStart).image("powershell.exe");
//! for event in Driver::open(DEFAULT_DEVICE)?.watch(&filter)? {
//!     let event = event?;
//!     if let Body::ProcessStart(start) = &event.body {
//!         println!("{} {:?}", event.time, start.process.command_line);
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! An event is a type with a field for each fact, and JSON by `schema/ntwatch-1.schema.json`, to
//! and fro. Each fact has a name, too:
//!
//! ```
//! use ntwatch_client::{Event, Field};
//!
//! # fn main() -> Result<(), ntwatch_client::event::ReadError> {
//! let line = r#"{"seq": 4294967296, "time": "2026-11-22T03:03:27.0000000Z",
//!     "event": "process_exit", "exit_status": 0,
//!     "process": {"pid": 4711, "key": "0x1267", "image": "C:\\Windows\\System32\\cmd.exe"}}"#;
//! let exit = Event::from_json(line)?;
//! let image = Field::named("process.image").and_then(|image| image.of(&exit));
//! assert_eq!(image.unwrap().to_string(), r"C:\Windows\System32\cmd.exe");
//! # Ok(())
//! # }
//! ```
//!
//! Nothing is lost without a word: [`Body::Lost`] stands where events are missing, and
//! [`Watch::lost`] says how many there are in all. `examples/` has two small programs: one warns
//! of those who can read the memory of lsass.exe, one prints the tree of processes.
//!
//! - [`Driver`] is an open handle: version, counters, shutdown. A handle is a session.
//! - [`Condition`] is a filter in words; [`condition`] has its language.
//! - [`Filter`] says what a session wants, [`Watch`] is the stream of its events, [`Records`] that
//!   of the driver's records, lent from where they lie.
//! - [`Watch::with_hashes`] has events tell the hashes of files.
//! - `Watch::into_stream` makes a `Stream` of it for async programs (feature `stream`).
//! - [`Delivery`] says how events come: by the mapped ring or by reads, at once or in company.
//! - [`Rule`] keeps rights to a process from others, as long as its [`Driver`] is open.
//! - [`event`] has the events, [`field`] the names of their facts, [`format`](mod@format) turns
//!   them into lines for other tools.
//! - `recording` has files of events, written and read (feature `recording`).
//! - [`stats::Account`] says what became of the events that the driver saw.
//! - [`transport::Transport`] is the way to the driver: Windows' own, or a lab's on Unix.
//!
//! Without the feature `cli`, which is on if nothing is said, there is the library alone and none
//! of the crates that only the command line needs.
//!
//! Opening the driver needs an administrator's elevated token.
// Allowed in `transport` alone, where memory is shared and Windows is called.
#![deny(unsafe_code)]

pub mod condition;
pub mod delivery;
pub mod device;
pub mod driver;
pub mod error;
pub mod event;
pub mod field;
pub mod filter;
pub mod format;
pub mod hash;
mod join;
mod modules;
mod names;
pub mod protect;
#[cfg(feature = "recording")]
pub mod recording;
pub mod records;
pub mod rights;
mod session;
pub mod sid;
mod similar;
mod snapshot;
pub mod stats;
#[cfg(feature = "stream")]
pub mod stream;
mod table;
pub mod time;
pub mod transport;
pub mod volumes;
pub mod watch;

pub use condition::Condition;
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
#[cfg(feature = "stream")]
pub use stream::EventStream;
pub use watch::Watch;
