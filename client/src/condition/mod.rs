//! What events have to be like, in words: the language of `--where`.
//!
//! ```
//! use ntwatch_client::Condition;
//!
//! let reads_lsass: Condition =
//!     r"event == handle_open and target.image ~ lsass.exe and access.granted has vm_read"
//!         .parse()?;
//! # Ok::<(), ntwatch_client::condition::ConditionError>(())
//! ```
//!
//! # Facts
//!
//! A fact is named by its place in the event's JSON, as [`Field`] lists them: `process.image`,
//! `access.granted`, `remote`.
//!
//! **What is not known fulfils nothing.** An event that has no such fact, or of which Windows did
//! not tell it, makes every comparison false, `!=` and `!~` among them. So
//! `process.user != 'NT AUTHORITY\SYSTEM'` wants a user who is known and another one, and
//! `not (process.user == 'NT AUTHORITY\SYSTEM')` takes those too of whom nothing is known.
//!
//! # Comparisons
//!
//! | written | holds if the fact is |
//! | --- | --- |
//! | `process.pid == 4711`, `!=` | that value, or a known other one |
//! | `time >= 2026-11-22T03:00:00Z`, `<`, `<=`, `>` | after or before it: numbers and times |
//! | `process.pid in (4, 4711)` | one of those values |
//! | `process.image ~ '*\powershell.exe'`, `!~` | such text, or known other text; see below |
//! | `process.command_line contains ' -enc '` | text with that in it |
//! | `access.granted has vm_read\|vm_write` | a mask with one of these rights |
//! | `access.granted has vm_read&vm_write` | a mask with all of these rights |
//! | `parent.image exists` | known |
//!
//! Values are of the fact's own type ([`Field::kind`]): numbers in decimal or as `0x1f`, `true` and
//! `false`, times as in JSON (in UTC; the fraction can be left out), and text. Facts that are one
//! of some words (`event`, `operation`, `process.integrity`, …) are compared with these words
//! alone. **Case does not count**, in text as little as in patterns.
//!
//! Text with anything in it but letters, digits and such as `.`, `-`, `*`, `\` or `:` is put into
//! quotes, `'…'` or `"…"`. A backslash is a backslash; a quote within is doubled: `'it''s'`.
//!
//! # Patterns
//!
//! `*` stands for any text, `?` for one UTF-16 unit. A path is held against a pattern that has no
//! separator (`\` or `/`) by its last part alone: `process.image ~ powershell.exe` means the file
//! name, wherever it lies. Any other text has to match as a whole.
//!
//! # Rights
//!
//! They are Windows' names without `PROCESS_` and `THREAD_` ([`crate::rights`]), or numbers. A name
//! means the right of the type that is opened: `vm_read` is none of a thread's. What stands for
//! several bits, `all_access` or `0x30`, is there if all of them are.
//!
//! # More than one
//!
//! `not` (or `!`) binds closest, then `and` (`&&`), then `or` (`||`); parentheses group.
//!
//! # In the driver
//!
//! [`Condition::narrow`] has the driver filter as far as it can: kinds of events, processes by pid
//! or image, rights that handles are opened for, remote threads, images of processes. Whatever the
//! driver lets through is then held against the condition itself.

mod check;
mod error;
mod narrow;
mod parse;
mod shape;
mod token;

pub use error::ConditionError;

use crate::event::{Body, Event};
use check::Test;
use std::fmt;
use std::str::FromStr;

#[cfg(doc)]
use crate::field::Field;

/// What an event has to be like. Read from text; shown, it is text that reads as the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition(Node);

/// Conditions of which one is made.
#[derive(Clone, Debug, PartialEq)]
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Test(Test),
}

impl Condition {
    /// Reads a condition, and checks that every field is there and has values of this type.
    ///
    /// # Errors
    /// The first thing that is wrong, and where it stands.
    pub fn parse(text: &str) -> Result<Self, ConditionError> {
        parse::parse(text).map(Self)
    }

    /// Does this event fulfil it?
    #[must_use]
    pub fn holds(&self, event: &Event) -> bool {
        self.0.holds(event)
    }

    /// Does this event belong into a stream of those that fulfil it? What is said about the stream
    /// itself, who speaks and what is lost, always does.
    #[must_use]
    pub fn lets_through(&self, event: &Event) -> bool {
        matches!(event.body, Body::Session { .. } | Body::Lost(_)) || self.holds(event)
    }
}

impl FromStr for Condition {
    type Err = ConditionError;

    fn from_str(text: &str) -> Result<Self, ConditionError> {
        Self::parse(text)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Node {
    fn holds(&self, event: &Event) -> bool {
        match self {
            Self::All(nodes) => nodes.iter().all(|node| node.holds(event)),
            Self::Any(nodes) => nodes.iter().any(|node| node.holds(event)),
            Self::Not(node) => !node.holds(event),
            Self::Test(test) => test.holds(event),
        }
    }

    /// All comparisons in it; with each, whether it is to hold (if the whole is) or not to.
    fn tests(&self, wanted: bool) -> Box<dyn Iterator<Item = (&Test, bool)> + '_> {
        match self {
            Self::All(nodes) | Self::Any(nodes) => {
                Box::new(nodes.iter().flat_map(move |node| node.tests(wanted)))
            }
            Self::Not(node) => node.tests(!wanted),
            Self::Test(test) => Box::new(std::iter::once((test, wanted))),
        }
    }
}

impl fmt::Display for Node {
    /// With no more parentheses than it takes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (nodes, word) = match self {
            Self::All(nodes) => (nodes, " and "),
            Self::Any(nodes) => (nodes, " or "),
            Self::Not(node) => match **node {
                Self::All(_) | Self::Any(_) => return write!(f, "not ({node})"),
                Self::Not(_) | Self::Test(_) => return write!(f, "not {node}"),
            },
            Self::Test(test) => return test.fmt(f),
        };
        let mut between = "";
        for node in nodes {
            f.write_str(std::mem::replace(&mut between, word))?;
            match (self, node) {
                (Self::All(_), Self::All(_)) | (_, Self::Any(_)) => write!(f, "({node})")?,
                _ => node.fmt(f)?,
            }
        }
        Ok(())
    }
}
