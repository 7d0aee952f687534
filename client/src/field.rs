//! Every fact of an event, by its place in the event's JSON: `process.image`, `access.granted`.

use crate::event::{
    Body, Counts, Event, HandleOpen, Hex, Image, Lost, ProcessRef, ProcessStart, SessionInfo,
    Thread, ThreadRef,
};
use crate::similar::similar;
use crate::time::Time;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// A fact that events of some kinds have.
#[derive(Clone, Copy)]
pub struct Field {
    /// Its place in the JSON of schema 1, with dots between.
    pub name: &'static str,
    /// The type of its values.
    pub kind: Type,
    get: for<'e> fn(&'e Event) -> Option<Value<'e>>,
}

/// The types of facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// A number, below 2^53.
    Number,
    /// A number of 64 bits, text in JSON.
    Hex,
    /// Yes or no.
    Bool,
    /// Text, or one of some words.
    Text,
    /// A point in time, text in JSON.
    Time,
    /// A number for each kind of event.
    Counts,
}

/// A fact. Shown as it would be in JSON, without quotes.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'e> {
    /// In decimal.
    Number(u64),
    /// As `0x…`.
    Hex(u64),
    /// `true` or `false`.
    Bool(bool),
    /// As it is.
    Text(Cow<'e, str>),
    /// As RFC 3339, to 100 ns.
    Time(Time),
    /// As an object of those that are not 0.
    Counts(Counts),
}

impl Field {
    /// All of them, in the order of the JSON.
    #[must_use]
    pub const fn all() -> &'static [Field] {
        FIELDS
    }

    /// The one with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Field> {
        FIELDS.iter().find(|field| field.name == name)
    }

    /// Those that somebody may have meant who wrote this name; the likeliest first.
    #[must_use]
    pub fn like(name: &str) -> Vec<&'static str> {
        let names = || FIELDS.iter().map(|field| field.name);
        let last = |name: &'static str| name.rsplit('.').next();
        let group = names().filter(|known| known.split('.').next() == Some(name));
        let same_last = names().filter(|known| last(known) == name.rsplit('.').next());
        let found: Vec<_> = group.chain(same_last).collect();
        match found.is_empty() {
            true => similar(name, names()),
            false => found,
        }
    }

    /// Is it the path of a file?
    pub(crate) fn is_path(&self) -> bool {
        self.name.ends_with(".image") || matches!(self.name, "image.path" | "thread.start_module")
    }

    /// Is it a mask of rights to a process or a thread?
    pub(crate) fn is_access(&self) -> bool {
        self.name.starts_with("access.")
    }

    /// This fact of an event; `None` if events of this kind have no such fact, or it is not known.
    #[must_use]
    pub fn of<'e>(&self, event: &'e Event) -> Option<Value<'e>> {
        (self.get)(event)
    }
}

impl Value<'_> {
    /// As it stands in the event's JSON.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Number(number) => (*number).into(),
            Self::Bool(truth) => (*truth).into(),
            Self::Counts(counts) => {
                let counts = counts.iter();
                let counts = counts.map(|(kind, count)| (kind.to_string(), count.into()));
                serde_json::Value::Object(counts.collect())
            }
            text @ (Self::Hex(_) | Self::Text(_) | Self::Time(_)) => text.to_string().into(),
        }
    }
}

impl PartialEq for Field {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Field {}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Hex(number) => write!(f, "{}", Hex(*number)),
            Self::Bool(truth) => write!(f, "{truth}"),
            Self::Text(text) => f.write_str(text),
            Self::Time(time) => write!(f, "{time}"),
            Self::Counts(counts) => {
                let json = serde_json::to_string(counts).map_err(|_| fmt::Error)?;
                f.write_str(&json)
            }
        }
    }
}

/// What becomes a [`Value`], with the type that it becomes one of.
trait Fact<'e> {
    fn value(self) -> Value<'e>;
}

macro_rules! facts {
    ($($type:ty, $fact:ident => $value:expr;)*) => {
        $(impl<'e> Fact<'e> for $type {
            fn value(self) -> Value<'e> {
                let $fact = self;
                $value
            }
        })*
    };
}

facts! {
    u64, number => Value::Number(number);
    u32, number => Value::Number(u64::from(number));
    Hex, number => Value::Hex(number.0);
    bool, truth => Value::Bool(truth);
    &'e Arc<str>, text => Value::Text(Cow::Borrowed(text));
    &'e String, text => Value::Text(Cow::Borrowed(text));
    &'e Cow<'static, str>, text => Value::Text(Cow::Borrowed(text));
    &'static str, word => Value::Text(Cow::Borrowed(word));
    Cow<'static, str>, word => Value::Text(word);
    Time, time => Value::Time(time);
    Counts, counts => Value::Counts(counts);
}

/// Reads as a table: name, type, where it is found.
macro_rules! fields {
    ($($name:literal $type:ident |$event:ident| $found:expr;)*) => {
        const FIELDS: &[Field] = &[$(Field {
            name: $name,
            kind: Type::$type,
            get: |$event| $found.map(Fact::value),
        }),*];
    };
}

fields! {
    "seq" Number |e| Some(e.seq);
    "time" Time |e| Some(e.time);
    "event" Text |e| Some(e.body.name());

    "session.driver_load_id" Hex |e| session(e).map(|s| s.driver_load_id);
    "session.boot_time" Time |e| session(e).and_then(|s| s.boot_time);
    "session.host" Text |e| session(e).map(|s| &s.host);
    "session.schema" Number |e| session(e).map(|s| s.schema);
    "session.driver_version" Text |e| session(e).map(|s| &s.driver_version);
    "session.client_version" Text |e| session(e).map(|s| &s.client_version);

    "process.pid" Number |e| process(e).map(|p| p.pid);
    "process.key" Hex |e| process(e).and_then(|p| p.key);
    "process.create_time" Time |e| create_time(e);
    "process.image" Text |e| process(e).and_then(|p| p.image);
    "process.image_exact" Bool |e| start(e).and_then(|s| s.process.image_exact);
    "process.command_line" Text |e| start(e).and_then(|s| s.process.command_line.as_ref());
    "process.session" Number |e| start(e).and_then(|s| s.process.session);
    "process.user" Text |e| start(e).and_then(|s| s.process.user.as_ref());
    "process.logon_id" Hex |e| start(e).and_then(|s| s.process.logon_id);
    "process.integrity" Text |e| start(e).and_then(|s| s.process.integrity).map(|i| i.name());
    "process.elevated" Bool |e| start(e).and_then(|s| s.process.elevated);
    "process.protection" Text |e| start(e).and_then(|s| s.process.protection).map(|p| p.name());
    "process.wow64" Bool |e| start(e).and_then(|s| s.process.wow64);
    "process.subsystem" Text |e| start(e).and_then(|s| s.process.subsystem).map(|s| s.name());
    "process.sha256" Text |e| start(e).and_then(|s| s.process.sha256.as_ref());
    "parent.pid" Number |e| parent(e).map(|p| p.pid);
    "parent.key" Hex |e| parent(e).and_then(|p| p.key);
    "parent.image" Text |e| parent(e).and_then(|p| p.image.as_ref());
    "thread.tid" Number |e| thread(e).map(|t| t.tid);
    "thread.start_address" Hex |e| thread(e).and_then(|t| t.start_address);
    "thread.start_module" Text |e| thread(e).and_then(|t| t.start_module.as_ref());
    "thread.subsystem" Text |e| thread(e).and_then(|t| t.subsystem).map(|s| s.name());
    "creator.pid" Number |e| creator(e).map(|c| c.pid);
    "creator.tid" Number |e| creator(e).map(|c| c.tid);
    "creator.key" Hex |e| creator(e).and_then(|c| c.key);
    "creator.image" Text |e| creator(e).and_then(|c| c.image.as_ref());
    "creation_status" Number |e| start(e).and_then(|s| s.creation_status);
    "remote" Bool |e| remote(e);
    "exit_status" Number |e| exit_status(e);

    "image.path" Text |e| image(e).and_then(|i| i.path.as_ref());
    "image.base" Hex |e| image(e).and_then(|i| i.base);
    "image.size" Hex |e| image(e).and_then(|i| i.size);
    "image.kernel" Bool |e| image(e).map(|i| i.kernel);
    "image.signature_level" Text |e| image(e).map(|i| i.signature_level.name());
    "image.signature_type" Text |e| image(e).map(|i| i.signature_type.name());
    "image.partial_map" Bool |e| image(e).map(|i| i.partial_map);
    "image.machine_mismatch" Bool |e| image(e).map(|i| i.machine_mismatch);
    "image.sha256" Text |e| image(e).and_then(|i| i.sha256.as_ref());

    "operation" Text |e| handle(e).map(|h| h.operation.name());
    "kernel" Bool |e| handle(e).map(|h| h.kernel);
    "source.pid" Number |e| handle(e).map(|h| h.source.pid);
    "source.tid" Number |e| handle(e).map(|h| h.source.tid);
    "source.key" Hex |e| handle(e).and_then(|h| h.source.key);
    "source.image" Text |e| handle(e).and_then(|h| h.source.image.as_ref());
    "attached.pid" Number |e| attached(e).map(|a| a.pid);
    "attached.key" Hex |e| attached(e).and_then(|a| a.key);
    "attached.image" Text |e| attached(e).and_then(|a| a.image.as_ref());
    "target.type" Text |e| handle(e).map(|h| h.target.kind.name());
    "target.pid" Number |e| handle(e).map(|h| h.target.pid);
    "target.tid" Number |e| handle(e).and_then(|h| h.target.tid);
    "target.key" Hex |e| handle(e).and_then(|h| h.target.key);
    "target.image" Text |e| handle(e).and_then(|h| h.target.image.as_ref());
    "duplicate.from.pid" Number |e| handle(e).and_then(|h| h.duplicate).map(|d| d.from.pid);
    "duplicate.from.key" Hex |e| handle(e).and_then(|h| h.duplicate).and_then(|d| d.from.key);
    "duplicate.to.pid" Number |e| handle(e).and_then(|h| h.duplicate).map(|d| d.to.pid);
    "duplicate.to.key" Hex |e| handle(e).and_then(|h| h.duplicate).and_then(|d| d.to.key);
    "access.desired" Number |e| handle(e).map(|h| h.access.desired);
    "access.original" Number |e| handle(e).map(|h| h.access.original);
    "access.granted" Number |e| handle(e).and_then(|h| h.access.granted);
    "access.stripped" Number |e| handle(e).and_then(|h| h.access.stripped);
    "status" Number |e| handle(e).map(|h| h.status);

    "stage" Text |e| lost(e).map(|l| l.stage.name());
    "lost" Counts |e| lost(e).map(|l| l.counts);
    "first_seq" Number |e| lost(e).map(|l| l.first_seq);
    "last_seq" Number |e| lost(e).map(|l| l.last_seq);
}

/// What every kind of event tells of its process.
struct Process<'e> {
    pid: u32,
    key: Option<Hex>,
    image: Option<&'e Arc<str>>,
}

fn process(event: &Event) -> Option<Process<'_>> {
    let (pid, key, image) = match &event.body {
        Body::ProcessRunning(start) | Body::ProcessStart(start) => {
            let process = &start.process;
            (process.pid, Some(process.key), &process.image)
        }
        Body::ProcessExit(exit) => {
            let process = &exit.process;
            (process.pid, Some(process.key), &process.image)
        }
        Body::ThreadStart(start) => parts(&start.process),
        Body::ThreadExit(exit) => parts(&exit.process),
        Body::ImageLoad(load) => parts(load.process.as_ref()?),
        Body::Session { .. } | Body::HandleOpen(_) | Body::Lost(_) => return None,
    };
    let image = image.as_ref();
    Some(Process { pid, key, image })
}

const fn parts(process: &ProcessRef) -> (u32, Option<Hex>, &Option<Arc<str>>) {
    (process.pid, process.key, &process.image)
}

const fn session(event: &Event) -> Option<&SessionInfo> {
    match &event.body {
        Body::Session { session } => Some(session),
        _ => None,
    }
}

fn start(event: &Event) -> Option<&ProcessStart> {
    match &event.body {
        Body::ProcessRunning(start) | Body::ProcessStart(start) => Some(start),
        _ => None,
    }
}

fn create_time(event: &Event) -> Option<Time> {
    match &event.body {
        Body::ProcessExit(exit) => exit.process.create_time,
        _ => start(event)?.process.create_time,
    }
}

fn parent(event: &Event) -> Option<&ProcessRef> {
    start(event)?.parent.as_ref()
}

fn creator(event: &Event) -> Option<&ThreadRef> {
    match &event.body {
        Body::ThreadStart(start) => Some(&start.creator),
        Body::ThreadExit(exit) => exit.creator.as_ref(),
        _ => start(event)?.creator.as_ref(),
    }
}

fn thread(event: &Event) -> Option<&Thread> {
    match &event.body {
        Body::ThreadStart(start) => Some(&start.thread),
        Body::ThreadExit(exit) => Some(&exit.thread),
        _ => None,
    }
}

fn remote(event: &Event) -> Option<bool> {
    match &event.body {
        Body::ThreadStart(start) => start.remote,
        Body::ThreadExit(exit) => exit.remote,
        _ => None,
    }
}

fn exit_status(event: &Event) -> Option<u32> {
    match &event.body {
        Body::ProcessExit(exit) => Some(exit.exit_status),
        Body::ThreadExit(exit) => Some(exit.exit_status),
        _ => None,
    }
}

fn image(event: &Event) -> Option<&Image> {
    match &event.body {
        Body::ImageLoad(load) => Some(&load.image),
        _ => None,
    }
}

fn handle(event: &Event) -> Option<&HandleOpen> {
    match &event.body {
        Body::HandleOpen(open) => Some(open),
        _ => None,
    }
}

fn attached(event: &Event) -> Option<&ProcessRef> {
    handle(event)?.attached.as_ref()
}

const fn lost(event: &Event) -> Option<&Lost> {
    match &event.body {
        Body::Lost(lost) => Some(lost),
        _ => None,
    }
}
