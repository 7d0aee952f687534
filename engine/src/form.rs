//! What a record in the capture ring looks like: a fixed form, then its strings.
//!
//! Written by callbacks and read by the worker of the same driver; never leaves it.

use crate::facts::Object;
use crate::process_table::ProcessId;
use ntwatch_protocol::process::{flags, known};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What the notify routine was told of a new process. Strings are UTF-16LE and may be pageable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessStart<'a> {
    /// The new process.
    pub id: ProcessId,
    /// Now: 100 ns units since 1601, UTC.
    pub time: i64,
    /// 100 ns units since 1601, UTC.
    pub create_time: i64,
    /// The process that handles and settings are inherited from.
    pub parent_pid: u32,
    /// Its start key.
    pub parent_key: Option<u64>,
    /// The process whose thread created this one.
    pub creator_pid: u32,
    /// That thread.
    pub creator_tid: u32,
    /// The creator's start key.
    pub creator_key: Option<u64>,
    /// `FileOpenNameAvailable`.
    pub image_exact: bool,
    /// `IsSubsystemProcess`.
    pub subsystem_process: bool,
    /// `ImageFileName`.
    pub image_name: Option<&'a [u8]>,
    /// `CommandLine`.
    pub command_line: Option<&'a [u8]>,
}

/// What the notify routine was told of a process that ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessExit {
    /// The process.
    pub id: ProcessId,
    /// Now: 100 ns units since 1601, UTC.
    pub time: i64,
    /// 100 ns units since 1601, UTC.
    pub create_time: i64,
    /// NTSTATUS or exit code.
    pub exit_status: u32,
}

/// How every form begins.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub(crate) struct FormHeader {
    /// Events that were lost before this one.
    pub(crate) losses: u64,
    /// See [`Object`].
    object: u64,
    pub(crate) time: i64,
    create_time: i64,
    key: u64,
    pid: u32,
    /// The exit status; of a start, bits of [`flags`].
    word: u32,
}

impl FormHeader {
    pub(crate) const fn id(&self) -> ProcessId {
        ProcessId {
            pid: self.pid,
            key: self.key,
        }
    }

    /// The reference that the record holds.
    pub(crate) const fn object(&self) -> Object {
        Object(self.object)
    }

    pub(crate) fn read(record: &[u8]) -> Option<Self> {
        Some(Self::read_from_prefix(record).ok()?.0)
    }
}

/// A process start in the ring; the image name and the command line follow.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub(crate) struct StartForm {
    header: FormHeader,
    parent_key: u64,
    creator_key: u64,
    parent_pid: u32,
    creator_pid: u32,
    creator_tid: u32,
    /// Bits of [`known`].
    known: u32,
    /// In bytes, or [`ABSENT`].
    image_name: u32,
    /// In bytes, or [`ABSENT`].
    command_line: u32,
}

const ABSENT: u32 = u32::MAX;

/// The length of a string that may be absent. Counted strings have 16-bit lengths.
fn length(text: Option<&[u8]>) -> u32 {
    text.map_or(ABSENT, |text| text.len() as u32)
}

/// Copies as much as there is room for; by construction, all of it.
fn copy(to: &mut [u8], from: &[u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

impl ProcessStart<'_> {
    /// Bytes of the form.
    pub(crate) fn size(&self) -> usize {
        let text = |text: Option<&[u8]>| text.map_or(0, <[u8]>::len);
        size_of::<StartForm>()
            .saturating_add(text(self.image_name))
            .saturating_add(text(self.command_line))
    }

    pub(crate) fn write(&self, losses: u64, object: Object, out: &mut [u8]) {
        let bit = |is: bool, bit: u32| if is { bit } else { 0 };
        let form = StartForm {
            header: FormHeader {
                losses,
                object: object.0,
                time: self.time,
                create_time: self.create_time,
                key: self.id.key,
                pid: self.id.pid,
                word: bit(self.image_exact, flags::IMAGE_EXACT)
                    | bit(self.subsystem_process, flags::SUBSYSTEM_PROCESS),
            },
            parent_key: self.parent_key.unwrap_or(0),
            creator_key: self.creator_key.unwrap_or(0),
            parent_pid: self.parent_pid,
            creator_pid: self.creator_pid,
            creator_tid: self.creator_tid,
            known: bit(self.parent_key.is_some(), known::PARENT_KEY)
                | bit(self.creator_key.is_some(), known::CREATOR_KEY),
            image_name: length(self.image_name),
            command_line: length(self.command_line),
        };
        let Ok(()) = form.write_to_prefix(out) else {
            return;
        };
        let mut rest = out.get_mut(size_of::<StartForm>()..).unwrap_or_default();
        for text in [self.image_name, self.command_line].into_iter().flatten() {
            let Some((room, after)) = rest.split_at_mut_checked(text.len()) else {
                return;
            };
            copy(room, text);
            rest = after;
        }
    }

    /// What [`Self::write`] wrote.
    pub(crate) fn read(record: &[u8]) -> Option<ProcessStart<'_>> {
        let (form, strings) = StartForm::read_from_prefix(record).ok()?;
        let (image_name, strings) = split_text(form.image_name, strings)?;
        let (command_line, _) = split_text(form.command_line, strings)?;
        let known = |bit: u32, key: u64| (form.known & bit != 0).then_some(key);
        Some(ProcessStart {
            id: form.header.id(),
            time: form.header.time,
            create_time: form.header.create_time,
            parent_pid: form.parent_pid,
            parent_key: known(known::PARENT_KEY, form.parent_key),
            creator_pid: form.creator_pid,
            creator_tid: form.creator_tid,
            creator_key: known(known::CREATOR_KEY, form.creator_key),
            image_exact: form.header.word & flags::IMAGE_EXACT != 0,
            subsystem_process: form.header.word & flags::SUBSYSTEM_PROCESS != 0,
            image_name,
            command_line,
        })
    }
}

/// A string of `len` bytes, or none, and what follows it.
fn split_text(len: u32, bytes: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    if len == ABSENT {
        return Some((None, bytes));
    }
    let (text, rest) = bytes.split_at_checked(len as usize)?;
    Some((Some(text), rest))
}

impl ProcessExit {
    /// Bytes of the form.
    pub(crate) const SIZE: usize = size_of::<FormHeader>();

    pub(crate) fn write(&self, losses: u64, object: Object, out: &mut [u8]) {
        let form = FormHeader {
            losses,
            object: object.0,
            time: self.time,
            create_time: self.create_time,
            key: self.id.key,
            pid: self.id.pid,
            word: self.exit_status,
        };
        // The room was reserved for this form.
        let _ = form.write_to_prefix(out);
    }

    /// What [`Self::write`] wrote.
    pub(crate) fn read(record: &[u8]) -> Option<Self> {
        let form = FormHeader::read(record)?;
        Some(Self {
            id: form.id(),
            time: form.time,
            create_time: form.create_time,
            exit_status: form.word,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{FormHeader, ProcessExit, ProcessStart};
    use crate::facts::Object;
    use crate::process_table::ProcessId;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    fn text() -> impl Strategy<Value = Option<Vec<u8>>> {
        prop::option::of(prop::collection::vec(any::<u8>(), 0..100))
    }

    proptest! {
        #[test]
        fn the_worker_reads_what_the_callback_wrote(
            numbers: [u64; 4],
            ids: [u32; 4],
            keys: [Option<u64>; 2],
            flags: [bool; 2],
            image_name in text(),
            command_line in text(),
        ) {
            let id = ProcessId { pid: ids[0], key: numbers[0] };
            let start = ProcessStart {
                id,
                time: numbers[1] as i64,
                create_time: numbers[2] as i64,
                parent_pid: ids[1],
                parent_key: keys[0],
                creator_pid: ids[2],
                creator_tid: ids[3],
                creator_key: keys[1],
                image_exact: flags[0],
                subsystem_process: flags[1],
                image_name: image_name.as_deref(),
                command_line: command_line.as_deref(),
            };
            let mut record = vec![0; start.size()];
            start.write(7, Object(numbers[3]), &mut record);
            prop_assert_eq!(ProcessStart::read(&record), Some(start));
            let header = FormHeader::read(&record).unwrap();
            prop_assert_eq!((header.losses, header.object()), (7, Object(numbers[3])));

            let exit = ProcessExit { id, time: 1, create_time: 2, exit_status: ids[1] };
            let mut record = vec![0; ProcessExit::SIZE];
            exit.write(8, Object(numbers[3]), &mut record);
            prop_assert_eq!(ProcessExit::read(&record), Some(exit));
        }

        #[test]
        fn bytes_that_no_callback_wrote_are_refused_or_read_inside_their_bounds(
            record in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            if let Some(start) = ProcessStart::read(&record) {
                let strings = [start.image_name, start.command_line];
                let read: usize = strings.iter().flatten().map(|text| text.len()).sum();
                prop_assert!(read <= record.len());
            }
            let _ = ProcessExit::read(&record);
        }
    }
}
