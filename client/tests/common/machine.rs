//! What a machine says, however it is asked.

use super::records::Start;
use ntwatch_client::protocol::configure::Configure;
use ntwatch_client::protocol::ioctl::{self, Stats, Version};
use ntwatch_client::protocol::protect::{Listed, Rule, Target};
use ntwatch_client::protocol::reader::{Record, Records};
use ntwatch_client::protocol::record::{Kind, MAX_RECORD_SIZE};
use ntwatch_client::protocol::{PROTOCOL_MAJOR, PROTOCOL_MINOR};
use std::collections::VecDeque;
use zerocopy::{FromBytes, FromZeros, IntoBytes};

pub(crate) const STATUS_PENDING: u32 = 0x103;
pub(crate) const STATUS_INVALID_PARAMETER: u32 = 0xC000_000D;
pub(crate) const STATUS_INVALID_DEVICE_REQUEST: u32 = 0xC000_0010;
pub(crate) const STATUS_ACCESS_DENIED: u32 = 0xC000_0022;
pub(crate) const STATUS_CANCELLED: u32 = 0xC000_0120;

/// What happens to a read when all was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AtEnd {
    /// It waits.
    Pend,
    /// Somebody shuts the driver down.
    ShutDown,
    /// The machine is gone, once the client has what it asks for at the start.
    Die,
}

/// The script of a machine with one session.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) open_status: u32,
    pub(crate) protocol_major: u16,
    /// A device that is not ntwatch's knows no request.
    pub(crate) foreign: bool,
    /// Can the session's ring be mapped?
    pub(crate) grants_ring: bool,
    /// What each read brings.
    pub(crate) batches: VecDeque<Vec<u8>>,
    pub(crate) at_end: AtEnd,
    /// The driver's account; `delivered` is counted as it happens.
    pub(crate) stats: Stats,
    /// The input of CONFIGURE, once there was one.
    pub(crate) configured: Option<Vec<u8>>,
    /// Does the client's token have SeDebugPrivilege?
    pub(crate) privileged: bool,
    /// The rules that are in force.
    pub(crate) rules: Vec<Listed>,
    /// After how many lists the rules are gone.
    pub(crate) rules_last: Option<u32>,
    /// Is it the driver that goes then?
    pub(crate) shuts_down: bool,
    /// Does the process 4711 still run then?
    pub(crate) target_lasts: bool,
}

impl Machine {
    pub(crate) fn new(batches: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self {
            open_status: 0,
            protocol_major: PROTOCOL_MAJOR,
            foreign: false,
            grants_ring: false,
            batches: batches.into_iter().collect(),
            at_end: AtEnd::ShutDown,
            stats: Stats::new_zeroed(),
            configured: None,
            privileged: true,
            rules: Vec::new(),
            rules_last: None,
            shuts_down: false,
            target_lasts: true,
        }
    }

    /// One on which another client protects the process 4711.
    pub(crate) fn protected() -> Self {
        let Start { pid, key, .. } = Start::default();
        let target = Target {
            key,
            pid,
            reserved: 0,
        };
        let rule = Rule {
            target,
            process: 0x21,
            thread: 0x1,
        };
        let (own, reserved) = (0, 0);
        let listed = Listed {
            rule,
            own,
            reserved,
        };
        Self {
            rules: vec![listed],
            ..Self::new([])
        }
    }

    /// A control request: its NTSTATUS and output.
    pub(crate) fn control(&mut self, code: u32, input: &[u8], output_len: usize) -> (u32, Vec<u8>) {
        let (status, output) = match code {
            _ if self.foreign => (STATUS_INVALID_DEVICE_REQUEST, Vec::new()),
            ioctl::GET_VERSION => (0, self.version().as_bytes().to_vec()),
            ioctl::CONFIGURE if Configure::parse(input).is_ok() => {
                self.configured = Some(input.to_vec());
                (0, Vec::new())
            }
            ioctl::CONFIGURE => (STATUS_INVALID_PARAMETER, Vec::new()),
            ioctl::GET_STATS => (0, self.stats.as_bytes().to_vec()),
            ioctl::READ_EVENTS => self.read(),
            ioctl::PROTECT_ADD => self.protect(input),
            ioctl::PROTECT_REMOVE => self.unprotect(input),
            ioctl::PROTECT_LIST => self.list(),
            _ => (STATUS_INVALID_DEVICE_REQUEST, Vec::new()),
        };
        assert!(
            output.len() <= output_len,
            "the client's buffer is too small"
        );
        (status, output)
    }

    fn protect(&mut self, input: &[u8]) -> (u32, Vec<u8>) {
        let rule = Rule::read_from_bytes(input).unwrap();
        assert_eq!(rule.check(), Ok(()));
        let (own, reserved) = (1, 0);
        self.rules.push(Listed {
            rule,
            own,
            reserved,
        });
        (0, Vec::new())
    }

    fn unprotect(&mut self, input: &[u8]) -> (u32, Vec<u8>) {
        let target = Target::read_from_bytes(input).unwrap();
        let before = self.rules.len();
        self.rules.retain(|listed| listed.rule.target != target);
        let found = self.rules.len() < before;
        (if found { 0 } else { ioctl::STATUS_NOT_FOUND }, Vec::new())
    }

    fn list(&mut self) -> (u32, Vec<u8>) {
        match &mut self.rules_last {
            Some(0) if self.shuts_down => return (ioctl::STATUS_SHUTDOWN, Vec::new()),
            Some(0) => self.rules.clear(),
            Some(left) => *left -= 1,
            None => {}
        }
        (0, self.rules.as_bytes().to_vec())
    }

    /// Is there a process 4711?
    pub(crate) fn has_target(&self) -> bool {
        self.target_lasts || self.rules_last != Some(0)
    }

    fn read(&mut self) -> (u32, Vec<u8>) {
        assert!(self.configured.is_some(), "a read before CONFIGURE");
        match (self.batches.pop_front(), self.at_end) {
            (Some(batch), _) => {
                for record in Records::new(&batch).flatten() {
                    self.deliver(&record);
                }
                (0, batch)
            }
            (None, AtEnd::Pend | AtEnd::Die) => (STATUS_PENDING, Vec::new()),
            (None, AtEnd::ShutDown) => (ioctl::STATUS_SHUTDOWN, Vec::new()),
        }
    }

    pub(crate) fn deliver(&mut self, record: &Record<'_>) {
        let stats = &mut self.stats;
        if let Record::Lost(lost) = record {
            for (at, count) in lost.counts.iter().enumerate() {
                for term in [
                    &mut stats.offered,
                    &mut stats.captured,
                    &mut stats.session_captured,
                ] {
                    term[at] += count;
                }
                stats.session_lost[at] += count;
            }
        } else {
            let at = usize::from(record.header().kind);
            for term in [
                &mut stats.offered,
                &mut stats.captured,
                &mut stats.session_captured,
                &mut stats.delivered,
            ] {
                term[at] += 1;
            }
        }
    }

    fn version(&self) -> Version {
        Version {
            size: size_of::<Version>() as u32,
            protocol_major: self.protocol_major,
            protocol_minor: PROTOCOL_MINOR,
            driver_version: [0, 1, 2, 3],
            driver_load_id: 0x01da_6a9c_0000_0000,
            kinds: Kind::ALL_EVENTS,
            max_record_size: MAX_RECORD_SIZE as u32,
        }
    }
}
