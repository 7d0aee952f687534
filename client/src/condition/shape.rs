//! Kinds of events as far as the driver's filter tells them apart, and which facts they have.

use crate::event::TargetType;
use crate::field::{Field, Value};
use ntwatch_protocol::record::Kind;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Running,
    Start,
    Exit,
    /// Started by its own process, or its process' first.
    OwnThread,
    /// Started by another process, or nobody can tell.
    RemoteThread,
    ThreadExit,
    UserImage,
    KernelImage,
    Handle(TargetType),
}

/// What is known of a fact without an event.
pub(super) enum Fact {
    /// No event of this shape has it.
    Absent,
    /// All have this one.
    Is(Value<'static>),
    /// It may be anything, or not there.
    Any,
}

impl Shape {
    pub(super) const ALL: [Self; 10] = [
        Self::Running,
        Self::Start,
        Self::Exit,
        Self::OwnThread,
        Self::RemoteThread,
        Self::ThreadExit,
        Self::UserImage,
        Self::KernelImage,
        Self::Handle(TargetType::Process),
        Self::Handle(TargetType::Thread),
    ];

    /// The driver's kind that it comes with.
    pub(super) const fn kind(self) -> Kind {
        match self {
            // Who wants starts is told what started earlier.
            Self::Running | Self::Start => Kind::ProcessStart,
            Self::Exit => Kind::ProcessExit,
            Self::OwnThread | Self::RemoteThread => Kind::ThreadStart,
            Self::ThreadExit => Kind::ThreadExit,
            Self::UserImage | Self::KernelImage => Kind::ImageLoad,
            Self::Handle(_) => Kind::HandleOpen,
        }
    }

    /// The processes that the driver's filter takes it to be about, as far as all events that its
    /// facts come from are about them, too. So the creator of a thread is left out: the images that
    /// it may begin in are another process'.
    pub(super) const fn about(self) -> &'static [&'static str] {
        match self {
            Self::KernelImage => &[],
            Self::Handle(_) => &["source", "target"],
            _ => &["process"],
        }
    }

    pub(super) fn fact(self, field: &Field) -> Fact {
        let (group, fact) = field.name.split_once('.').unwrap_or((field.name, ""));
        let is_start = matches!(self, Self::Running | Self::Start);
        let is_thread = matches!(
            self,
            Self::OwnThread | Self::RemoteThread | Self::ThreadExit
        );
        let is_image = matches!(self, Self::UserImage | Self::KernelImage);
        let is_handle = matches!(self, Self::Handle(_));
        let is_there = match (group, fact) {
            ("event", _) => return Fact::Is(Value::Text(self.name().into())),
            ("remote", _) if self == Self::OwnThread => return Fact::Is(Value::Bool(false)),
            ("image", "kernel") if is_image => {
                return Fact::Is(Value::Bool(self == Self::KernelImage));
            }
            ("target", "type") => match self {
                Self::Handle(kind) => return Fact::Is(Value::Text(kind.name().into())),
                _ => false,
            },
            ("seq" | "time", _) => true,
            ("process", "pid" | "key" | "image") => self.about() == ["process"],
            ("process", "create_time") => is_start || self == Self::Exit,
            ("process" | "parent" | "creation_status", _) => is_start,
            ("creator", _) => is_start || is_thread,
            ("thread" | "remote", _) => is_thread,
            ("exit_status", _) => matches!(self, Self::Exit | Self::ThreadExit),
            ("image", _) => is_image,
            ("target", "tid") => self == Self::Handle(TargetType::Thread),
            ("source" | "target" | "attached" | "duplicate" | "access", _) => is_handle,
            ("operation" | "kernel" | "status", _) => is_handle,
            // Of the stream itself.
            ("session" | "stage" | "lost" | "first_seq" | "last_seq", _) => false,
            _ => true,
        };
        if is_there { Fact::Any } else { Fact::Absent }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Running => "process_running",
            _ => self.kind().name(),
        }
    }
}
