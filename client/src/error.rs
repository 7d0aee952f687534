//! What can go wrong: the thing, the reason, and what to do.

use crate::rights::{self, Rights};
use crate::transport::Fault;
use crate::transport::mapping::Unmappable;
use ntwatch_protocol::configure::{MAX_CLAUSES, MAX_PATTERN_UNITS_IN_ALL};
use ntwatch_protocol::reader::ReadError;
use ntwatch_protocol::{PROTOCOL_MAJOR, PROTOCOL_MINOR};
use ntwatch_ring::session::Damaged;

/// Any failure of this library.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name is none that a device can have here.
    #[error("no driver can be opened by the name `{name}`: {remedy}")]
    DeviceName {
        /// As it was given.
        name: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The device could not be opened.
    #[error("cannot open {device}: {fault}{}", remedy(device, fault))]
    Open {
        /// The device's name.
        device: String,
        /// Why.
        #[source]
        fault: Fault,
    },
    /// The device is not ntwatch's.
    #[error("{device} is not ntwatch's device: {fault}; name another with --device")]
    NotNtwatch {
        /// The device's name.
        device: String,
        /// What it said to GET_VERSION.
        #[source]
        fault: Fault,
    },
    /// The driver speaks another protocol.
    #[error(
        "the driver at {device} speaks protocol {major}.{minor}, this client \
         {PROTOCOL_MAJOR}.{PROTOCOL_MINOR}; install driver and client of one release"
    )]
    OtherProtocol {
        /// The device's name.
        device: String,
        /// The driver's protocol.
        major: u16,
        /// The driver's protocol.
        minor: u16,
    },
    /// The filter cannot be asked for.
    #[error("{0}")]
    Filter(#[from] FilterError),
    /// No driver can keep the rule.
    #[error("{0}")]
    Rule(#[from] RuleError),
    /// Nobody bears the pid, or another process than was meant.
    #[error("no process has the pid {pid}; it may have ended")]
    NoProcess {
        /// The pid.
        pid: u32,
    },
    /// No session has a rule about the process.
    #[error(
        "no rule protects the process {pid}; `ntwatch protect list` shows those that there are"
    )]
    NoRule {
        /// The pid.
        pid: u32,
    },
    /// A request failed on an open device.
    #[error("{device}: cannot {what}: {fault}{}", remedy(device, fault))]
    Request {
        /// The device's name.
        device: String,
        /// What was to be done.
        what: &'static str,
        /// Why it was not.
        #[source]
        fault: Fault,
    },
    /// The ring cannot be read in place, and was to be.
    #[error("{device}: cannot map the ring: {why}")]
    NotMapped {
        /// The device's name.
        device: String,
        /// Why.
        #[source]
        why: Unmappable,
    },
    /// What lies in the mapped ring is none.
    #[error(
        "{device}: what the driver wrote cannot be read: {error}; \
         install driver and client of one release"
    )]
    Ring {
        /// The device's name.
        device: String,
        /// What is wrong with it.
        #[source]
        error: Damaged,
    },
    /// What the driver sent is not of this protocol.
    #[error(
        "{device}: what the driver sent cannot be read: {error}; \
         install driver and client of one release"
    )]
    Record {
        /// The device's name.
        device: String,
        /// What is wrong with it.
        #[source]
        error: ReadError,
    },
}

impl Error {
    /// Is the driver not there, or does it not let this client in? (Rather than failing later.)
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        match self {
            Error::DeviceName { .. }
            | Error::Open { .. }
            | Error::NotNtwatch { .. }
            | Error::OtherProtocol { .. } => true,
            Error::Request { fault, .. } => {
                matches!(
                    fault,
                    Fault::ShuttingDown | Fault::AccessDenied | Fault::PrivilegeNotHeld
                )
            }
            Error::NotMapped { why, .. } => matches!(
                why,
                Unmappable::ThirtyTwoBit | Unmappable::Wine | Unmappable::Refused(_)
            ),
            Error::Filter(_)
            | Error::Rule(_)
            | Error::NoProcess { .. }
            | Error::NoRule { .. }
            | Error::Ring { .. }
            | Error::Record { .. } => false,
        }
    }
}

/// Why a filter cannot be asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// A condition that no event fulfils that is asked for.
    #[error(
        "no event that the driver is asked for can fulfil the condition; leave out what \
         contradicts it, such as another kind of event"
    )]
    NoEvents,
    /// An empty pattern matches nothing.
    #[error("an image pattern is empty; `*` stands for every image")]
    EmptyPattern,
    /// Above [`ntwatch_protocol::configure::MAX_PATTERN_UNITS`].
    #[error("the image pattern `{0:.40}…` is too long; 1024 characters are the most")]
    LongPattern(String),
    /// Above [`MAX_PATTERN_UNITS_IN_ALL`].
    #[error(
        "the image patterns have {0} characters together, and {MAX_PATTERN_UNITS_IN_ALL} are the \
         most; name fewer, or use `*`"
    )]
    LongPatterns(usize),
    /// No volume has this drive.
    #[error(
        "the image pattern `{0}` names a drive that is not mounted; name one that is, or use `*`"
    )]
    NoSuchDrive(String),
    /// Above [`ntwatch_protocol::configure::MAX_CLAUSES`] or
    /// [`ntwatch_protocol::configure::MAX_CONFIGURE_SIZE`].
    #[error("the filter is too large; name fewer processes and images, or use patterns")]
    TooLarge,
    /// With so many descendants that run already, it is too large.
    #[error(
        "{0} descendants of the processes that are named run already, and a filter has room for \
         {MAX_CLAUSES} processes and images; name processes further down the tree, or images"
    )]
    TooManyDescendants(usize),
    /// Not a power of two, or out of bounds.
    #[error(
        "a session's ring cannot have {0} bytes; a power of two from 1 MiB to 64 MiB can be had"
    )]
    RingSize(u32),
}

/// Why a rule cannot be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// It takes nothing away.
    #[error("no right is denied; name at least one")]
    Nothing,
    /// A right that Windows lets no driver take away.
    #[error("{}", not_deniable(*.0))]
    NotDeniable(Rights),
}

fn not_deniable(asked: Rights) -> String {
    let refused = asked.without(Rights::DENIABLE);
    let to_process = format!("{} to a process", rights::of_process(refused.process));
    let to_thread = format!("{} to a thread", rights::of_thread(refused.thread));
    let refused = match (refused.process, refused.thread) {
        (_, 0) => to_process,
        (0, _) => to_thread,
        _ => format!("{to_process} and {to_thread}"),
    };
    let deniable: Vec<_> = Rights::DENIABLE.words().collect();
    format!(
        "Windows lets no driver deny {refused}; what can be denied: {}",
        deniable.join(", ")
    )
}

/// What to do about `fault`, where more can be said than what it is.
fn remedy(device: &str, fault: &Fault) -> &'static str {
    let lab = device.starts_with(crate::device::LAB_PREFIX);
    match fault {
        Fault::NotFound | Fault::Closed if lab => {
            "; start `nthost serve` with this socket, or name another with --device"
        }
        Fault::NotFound => {
            "; start the driver with `ntwatch start`, or name another device with --device"
        }
        Fault::AccessDenied if lab => {
            "; only administrators may open it: start `nthost serve` with `--client-token admin`"
        }
        Fault::AccessDenied => {
            "; only administrators may open it: run this from an elevated prompt"
        }
        Fault::PrivilegeNotHeld if lab => "; start `nthost serve` with `--client-token admin`",
        Fault::PrivilegeNotHeld => {
            "; run this from an elevated prompt, as a user with the right \"Debug programs\""
        }
        Fault::Quota => "; end another rule first",
        Fault::ShuttingDown => "; wait until it is unloaded, then start it again",
        Fault::NoRoom => "; close another client first",
        Fault::NoMemory => "; ask for a smaller ring, or close another client first",
        _ => "",
    }
}
