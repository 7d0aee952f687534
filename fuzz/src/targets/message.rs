//! The parts of a control request: which, with what, and with how much room for the answer.
#![expect(clippy::too_many_arguments, reason = "of what `Mutate` derives")]

use super::samples::wide;
use mutatis::Mutate;
use nthost::ob::ObjectRef;
use nthost::ps::Process;
use ntwatch_protocol::configure::{
    AccessMasks, Clause, MAX_CONFIGURE_SIZE, MAX_RING_SIZE, MIN_RING_SIZE, Selector,
};
use ntwatch_protocol::ioctl::{self, Stats, Version};
use ntwatch_protocol::mapped::MappedRing;
use ntwatch_protocol::protect::{Listed, MAX_RULES, Rule, Target};
use ntwatch_protocol::record::{Kind, MAX_RECORD_SIZE};
use ntwatch_protocol::wide::Wide;
use ntwatch_tests::machine::configure_input;
use ntwatch_tests::mapped::map_ring_input;
use serde::{Deserialize, Serialize};
use zerocopy::IntoBytes;

/// A control code.
#[derive(Clone, Debug, Serialize, Deserialize, Mutate)]
pub enum Code {
    GetVersion,
    Configure,
    ReadEvents,
    MapRing,
    GetStats,
    ProtectAdd,
    ProtectRemove,
    ProtectList,
    Shutdown,
    /// One of the above, but for some bits.
    Near {
        code: u8,
        bits: u8,
        by: u8,
    },
    Other(u32),
}

const CODES: [u32; 9] = [
    ioctl::GET_VERSION,
    ioctl::CONFIGURE,
    ioctl::READ_EVENTS,
    ioctl::MAP_RING,
    ioctl::GET_STATS,
    ioctl::PROTECT_ADD,
    ioctl::PROTECT_REMOVE,
    ioctl::PROTECT_LIST,
    ioctl::SHUTDOWN,
];

impl Code {
    pub(super) fn number(&self) -> u32 {
        match *self {
            Code::GetVersion => ioctl::GET_VERSION,
            Code::Configure => ioctl::CONFIGURE,
            Code::ReadEvents => ioctl::READ_EVENTS,
            Code::MapRing => ioctl::MAP_RING,
            Code::GetStats => ioctl::GET_STATS,
            Code::ProtectAdd => ioctl::PROTECT_ADD,
            Code::ProtectRemove => ioctl::PROTECT_REMOVE,
            Code::ProtectList => ioctl::PROTECT_LIST,
            Code::Shutdown => ioctl::SHUTDOWN,
            Code::Near { code, bits, by } => {
                CODES[usize::from(code) % CODES.len()] ^ u32::from(bits) << (by % 32)
            }
            Code::Other(number) => number,
        }
    }
}

/// Room for an answer.
#[derive(Clone, Debug, Serialize, Deserialize, Mutate)]
pub enum Room {
    /// As the request asks for, and so many bytes more or less.
    Right(i8),
    /// None.
    None,
    /// So many bytes.
    Bytes(u16),
}

impl Room {
    /// Bytes for the answer to `code`.
    pub(super) fn bytes(&self, code: u32) -> usize {
        let right = match code {
            ioctl::GET_VERSION => size_of::<Version>(),
            ioctl::READ_EVENTS => MAX_RECORD_SIZE,
            ioctl::MAP_RING => size_of::<MappedRing>(),
            ioctl::GET_STATS => size_of::<Stats>(),
            ioctl::PROTECT_LIST => MAX_RULES * size_of::<Listed>(),
            _ => 0,
        };
        match *self {
            Room::Right(more) => right.saturating_add_signed(more.into()),
            Room::None => 0,
            Room::Bytes(bytes) => bytes.into(),
        }
    }
}

/// The input of a request, and what is done to it before it is sent.
#[derive(Clone, Debug, Serialize, Deserialize, Mutate)]
pub struct Message {
    body: Body,
    damage: Vec<Damage>,
    /// Bytes cut off, or added.
    more: i8,
}

/// The byte at a place is another.
#[derive(Clone, Debug, Serialize, Deserialize, Mutate)]
pub struct Damage {
    at: u16,
    byte: u8,
}

#[derive(Clone, Debug, Serialize, Deserialize, Mutate)]
pub enum Body {
    Nothing,
    Configure {
        mask: Mask,
        ring: RingSize,
        clauses: Vec<Condition>,
    },
    MapRing {
        ring: RingSize,
        wake_bytes: u32,
        event: Event,
    },
    Rule {
        whom: Whom,
        process: u32,
        thread: u32,
    },
    Whom(Whom),
    Bytes(Vec<u8>),
}

#[derive(Clone, Debug, Serialize, Deserialize, Mutate)]
pub enum Mask {
    All,
    /// These kinds, in order.
    Some(u8),
    Anything(u32),
}

#[derive(Clone, Debug, Serialize, Deserialize, Mutate)]
pub enum RingSize {
    Usual,
    Least,
    Most,
    Anything(u32),
}

#[derive(Clone, Debug, Serialize, Deserialize, Mutate)]
pub enum Condition {
    Process { pid: u8, flags: u8, key: u64 },
    Image(String),
    ExcludeImage(String),
    EveryOpen,
    Access { process: u32, thread: u32 },
    RemoteThreads,
    UserImages,
}

/// The event of a MAP_RING.
#[derive(Clone, Debug, Serialize, Deserialize, Mutate)]
pub enum Event {
    /// An event of the process.
    Own,
    /// Any handle of the process, or none.
    Handle(u8),
    Anything(u64),
}

/// Whom a rule is about.
#[derive(Clone, Debug, Serialize, Deserialize, Mutate)]
pub enum Whom {
    /// A process that runs.
    Process,
    Nobody {
        pid: u32,
        key: u64,
        reserved: u32,
    },
}

impl Message {
    /// As it is sent. `event` is a handle of the sender's, and `process` runs.
    pub(super) fn bytes(&self, process: &ObjectRef<Process>, event: usize) -> Vec<u8> {
        let mut bytes = self.body.bytes(process, event);
        // One byte more than any request may have is enough.
        let len = bytes.len().saturating_add_signed(self.more.into());
        bytes.resize(len.min(MAX_CONFIGURE_SIZE + 1), 0);
        for damage in &self.damage {
            let at = usize::from(damage.at) % bytes.len().max(1);
            if let Some(byte) = bytes.get_mut(at) {
                *byte = damage.byte;
            }
        }
        bytes
    }
}

impl Body {
    fn bytes(&self, process: &ObjectRef<Process>, event: usize) -> Vec<u8> {
        match self {
            Body::Nothing => Vec::new(),
            Body::Configure {
                mask,
                ring,
                clauses,
            } => configure(mask.bits(), ring.bytes(), clauses),
            Body::MapRing {
                ring,
                wake_bytes,
                event: named,
            } => {
                let handle = match *named {
                    Event::Own => event,
                    Event::Handle(number) => 4 * usize::from(number),
                    Event::Anything(handle) => handle as usize,
                };
                let mut input = map_ring_input(ring.bytes(), handle);
                input.wake_bytes = *wake_bytes;
                input.as_bytes().to_vec()
            }
            Body::Rule {
                whom,
                process: rights,
                thread,
            } => {
                let rule = Rule {
                    target: whom.target(process),
                    process: *rights,
                    thread: *thread,
                };
                rule.as_bytes().to_vec()
            }
            Body::Whom(whom) => whom.target(process).as_bytes().to_vec(),
            Body::Bytes(bytes) => bytes.clone(),
        }
    }
}

fn configure(event_mask: u32, ring_size: u32, conditions: &[Condition]) -> Vec<u8> {
    let patterns: Vec<Vec<u8>> = conditions
        .iter()
        .map(|condition| match condition {
            Condition::Image(pattern) | Condition::ExcludeImage(pattern) => wide(pattern),
            _ => Vec::new(),
        })
        .collect();
    let clauses: Vec<Clause<'_>> = conditions
        .iter()
        .zip(&patterns)
        .map(|(condition, pattern)| match *condition {
            Condition::Process { pid, flags, key } => Clause::Process(Selector {
                pid: pid.into(),
                flags: flags.into(),
                key,
            }),
            Condition::Image(_) => Clause::Image(Wide::new(pattern)),
            Condition::ExcludeImage(_) => Clause::ExcludeImage(Wide::new(pattern)),
            Condition::EveryOpen => Clause::Access(AccessMasks::ALL),
            Condition::Access { process, thread } => {
                Clause::Access(AccessMasks { process, thread })
            }
            Condition::RemoteThreads => Clause::RemoteThreads,
            Condition::UserImages => Clause::UserImages,
        })
        .collect();
    configure_input(event_mask, ring_size, &clauses)
}

impl Mask {
    fn bits(&self) -> u32 {
        match *self {
            Mask::All => Kind::ALL_EVENTS,
            Mask::Some(kinds) => u32::from(kinds) << Kind::ProcessStart as u32,
            Mask::Anything(bits) => bits,
        }
    }
}

impl RingSize {
    fn bytes(&self) -> u32 {
        match *self {
            RingSize::Usual => 0,
            RingSize::Least => MIN_RING_SIZE,
            RingSize::Most => MAX_RING_SIZE,
            RingSize::Anything(bytes) => bytes,
        }
    }
}

impl Whom {
    fn target(&self, process: &ObjectRef<Process>) -> Target {
        match *self {
            Whom::Process => Target {
                key: process.key,
                pid: process.id,
                reserved: 0,
            },
            Whom::Nobody { pid, key, reserved } => Target { key, pid, reserved },
        }
    }
}
