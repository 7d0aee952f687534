//! Handle open: the form is the record.

use super::{bit, header};
use crate::process_table::ProcessId;
use ntwatch_protocol::handle::{self, known};
use ntwatch_protocol::record::Kind;
use zerocopy::IntoBytes;

/// What the callbacks before and after an open were told. Of a start key, 0 stands for not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandleOpen {
    /// Now: 100 ns units since 1601, UTC.
    pub time: i64,
    /// The process that opens: the one that the thread belongs to.
    pub source_pid: u32,
    /// The thread that opens.
    pub source_tid: u32,
    /// The source's start key.
    pub source_key: u64,
    /// The process that is opened, or whose thread is.
    pub target_pid: u32,
    /// The thread that is opened; 0 for a process.
    pub target_tid: u32,
    /// The target's start key.
    pub target_key: u64,
    /// The process that the opening thread is attached to, if it is not its own.
    pub attached: Option<ProcessId>,
    /// Of a duplicate: the process whose handle it is of, and the one that gets it.
    pub duplicate: Option<(ProcessId, ProcessId)>,
    /// `OriginalDesiredAccess`.
    pub original: u32,
    /// `DesiredAccess` as this driver left it.
    pub desired: u32,
    /// `GrantedAccess`, of an open that succeeded.
    pub granted: Option<u32>,
    /// `ReturnStatus`.
    pub status: u32,
    /// Bits of [`handle::flags`].
    pub flags: u32,
}

impl HandleOpen {
    /// Bytes of the form.
    pub(crate) const SIZE: usize = size_of::<handle::HandleOpen>();

    pub(crate) fn write(&self, losses: u64, out: &mut [u8]) {
        const NONE: ProcessId = ProcessId { pid: 0, key: 0 };
        let attached = self.attached.unwrap_or(NONE);
        let (from, to) = self.duplicate.unwrap_or((NONE, NONE));
        let record = handle::HandleOpen {
            header: header(Kind::HandleOpen, Self::SIZE, losses, self.time),
            source_key: self.source_key,
            target_key: self.target_key,
            attached_key: attached.key,
            from_key: from.key,
            to_key: to.key,
            source_pid: self.source_pid,
            source_tid: self.source_tid,
            target_pid: self.target_pid,
            target_tid: self.target_tid,
            attached_pid: attached.pid,
            from_pid: from.pid,
            to_pid: to.pid,
            original: self.original,
            desired: self.desired,
            granted: self.granted.unwrap_or(0),
            status: self.status,
            known: bit(self.source_key != 0, known::SOURCE_KEY)
                | bit(self.target_key != 0, known::TARGET_KEY)
                | bit(self.attached.is_some(), known::ATTACHED)
                | bit(self.duplicate.is_some(), known::DUPLICATE)
                | bit(self.granted.is_some(), known::GRANTED),
            flags: self.flags,
            reserved: 0,
        };
        // The room was reserved for this record.
        let _ = record.write_to_prefix(out);
    }
}

/// With the ring's header, two cache lines.
const _: () = assert!(HandleOpen::SIZE + 8 <= 128);
