//! Thread start and exit.

use super::{Held, bit, header};
use crate::facts::Object;
use crate::process_table::ProcessId;
use ntwatch_protocol::record::Kind;
use ntwatch_protocol::thread::{self, known};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What the notify routine was told of a new thread, and found at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadStart {
    /// The process that it runs in.
    pub pid: u32,
    /// Its start key.
    pub key: Option<u64>,
    /// The new thread.
    pub tid: u32,
    /// Now: 100 ns units since 1601, UTC.
    pub time: i64,
    /// The process whose thread created it.
    pub creator_pid: u32,
    /// That thread.
    pub creator_tid: u32,
    /// The creator's start key.
    pub creator_key: Option<u64>,
}

/// What the notify routine was told of a thread that ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadExit {
    /// The process that it ran in.
    pub pid: u32,
    /// Its start key.
    pub key: u64,
    /// The thread.
    pub tid: u32,
    /// Now: 100 ns units since 1601, UTC.
    pub time: i64,
    /// NTSTATUS or exit code.
    pub exit_status: u32,
}

/// A thread start in the ring.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
struct StartForm {
    held: Held,
    key: u64,
    creator_key: u64,
    pid: u32,
    tid: u32,
    creator_pid: u32,
    creator_tid: u32,
    /// Bits of [`known`].
    known: u32,
    padding: u32,
}

impl ThreadStart {
    /// Bytes of the form.
    pub(crate) const SIZE: usize = size_of::<StartForm>();

    /// The process that it runs in.
    pub(crate) fn process(&self) -> ProcessId {
        ProcessId::new(self.pid, self.key)
    }

    /// The process whose thread created it.
    pub(crate) fn creator(&self) -> ProcessId {
        ProcessId::new(self.creator_pid, self.creator_key)
    }

    pub(crate) fn write(&self, losses: u64, object: Option<Object>, out: &mut [u8]) {
        let form = StartForm {
            held: Held::new(
                header(Kind::ThreadStart, Self::SIZE, losses, self.time),
                object,
            ),
            key: self.key.unwrap_or(0),
            creator_key: self.creator_key.unwrap_or(0),
            pid: self.pid,
            tid: self.tid,
            creator_pid: self.creator_pid,
            creator_tid: self.creator_tid,
            known: bit(self.key.is_some(), known::KEY)
                | bit(self.creator_key.is_some(), known::CREATOR_KEY),
            padding: 0,
        };
        // The room was reserved for this form.
        let _ = form.write_to_prefix(out);
    }

    /// What [`Self::write`] wrote.
    pub(crate) fn read(record: &[u8]) -> Option<Self> {
        let (form, _) = StartForm::read_from_prefix(record).ok()?;
        let known = |bit: u32, key: u64| (form.known & bit != 0).then_some(key);
        Some(Self {
            pid: form.pid,
            key: known(known::KEY, form.key),
            tid: form.tid,
            time: form.held.header.time,
            creator_pid: form.creator_pid,
            creator_tid: form.creator_tid,
            creator_key: known(known::CREATOR_KEY, form.creator_key),
        })
    }
}

impl ThreadExit {
    /// Bytes of the form, which is the record.
    pub(crate) const SIZE: usize = size_of::<thread::ThreadExit>();

    pub(crate) fn write(&self, losses: u64, out: &mut [u8]) {
        let record = thread::ThreadExit {
            header: header(Kind::ThreadExit, Self::SIZE, losses, self.time),
            key: self.key,
            pid: self.pid,
            tid: self.tid,
            exit_status: self.exit_status,
            reserved: 0,
        };
        // The room was reserved for this record.
        let _ = record.write_to_prefix(out);
    }
}

#[cfg(test)]
mod tests {
    use super::ThreadStart;
    use crate::facts::Object;
    use crate::form::{losses, object};
    use ntwatch_protocol::record::Kind;
    use proptest::prelude::*;
    use std::vec;

    proptest! {
        #[test]
        fn the_worker_reads_what_the_callback_wrote(
            ids: [u32; 4],
            keys: [Option<u64>; 2],
            time: i64,
            reference in prop::option::of(1u64..),
        ) {
            let start = ThreadStart {
                pid: ids[0],
                key: keys[0],
                tid: ids[1],
                time,
                creator_pid: ids[2],
                creator_tid: ids[3],
                creator_key: keys[1],
            };
            let reference = reference.map(Object);
            let mut record = vec![0; ThreadStart::SIZE];
            start.write(7, reference, &mut record);
            prop_assert_eq!(ThreadStart::read(&record), Some(start));
            prop_assert_eq!(losses(&record), Some(7));
            prop_assert_eq!(object(Kind::ThreadStart, &record), reference);
        }
    }
}
