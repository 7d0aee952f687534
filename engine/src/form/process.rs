//! Process start and exit: a fixed form, then its strings.

use super::{Held, bit, header};
use crate::facts::Object;
use crate::process_table::ProcessId;
use ntwatch_protocol::process::{flags, known};
use ntwatch_protocol::record::Kind;
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
    /// `CreationStatus`: what a routine that was called earlier has refused the creation with,
    /// else 0.
    pub creation_status: i32,
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

/// A process start in the ring; the image name and the command line follow.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
struct StartForm {
    held: Held,
    create_time: i64,
    key: u64,
    parent_key: u64,
    creator_key: u64,
    pid: u32,
    parent_pid: u32,
    creator_pid: u32,
    creator_tid: u32,
    /// Bits of [`known`].
    known: u32,
    /// Bits of [`flags`], and [`THREADS_HEARD`].
    flags: u32,
    creation_status: i32,
    /// In bytes, or [`ABSENT`].
    image_name: u32,
    /// In bytes, or [`ABSENT`].
    command_line: u32,
    padding: u32,
}

/// A process exit in the ring.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
struct ExitForm {
    held: Held,
    create_time: i64,
    key: u64,
    pid: u32,
    exit_status: u32,
}

/// Beside [`flags`]: somebody listened to thread starts, so the first thread is told of, too.
const THREADS_HEARD: u32 = 1 << 31;

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

    /// `threads_heard`: does somebody listen to thread starts?
    pub(crate) fn write(&self, losses: u64, threads_heard: bool, object: Object, out: &mut [u8]) {
        let form = StartForm {
            held: Held::new(
                header(Kind::ProcessStart, self.size(), losses, self.time),
                Some(object),
            ),
            create_time: self.create_time,
            key: self.id.key,
            parent_key: self.parent_key.unwrap_or(0),
            creator_key: self.creator_key.unwrap_or(0),
            pid: self.id.pid,
            parent_pid: self.parent_pid,
            creator_pid: self.creator_pid,
            creator_tid: self.creator_tid,
            known: bit(self.parent_key.is_some(), known::PARENT_KEY)
                | bit(self.creator_key.is_some(), known::CREATOR_KEY),
            flags: bit(self.image_exact, flags::IMAGE_EXACT)
                | bit(self.subsystem_process, flags::SUBSYSTEM_PROCESS)
                | bit(threads_heard, THREADS_HEARD),
            creation_status: self.creation_status,
            image_name: length(self.image_name),
            command_line: length(self.command_line),
            padding: 0,
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

    /// What [`Self::write`] wrote: the start, and whether threads were heard.
    pub(crate) fn read(record: &[u8]) -> Option<(ProcessStart<'_>, bool)> {
        let (form, strings) = StartForm::read_from_prefix(record).ok()?;
        let (image_name, strings) = split_text(form.image_name, strings)?;
        let (command_line, _) = split_text(form.command_line, strings)?;
        let known = |bit: u32, key: u64| (form.known & bit != 0).then_some(key);
        let start = ProcessStart {
            id: ProcessId {
                pid: form.pid,
                key: form.key,
            },
            time: form.held.header.time,
            create_time: form.create_time,
            parent_pid: form.parent_pid,
            parent_key: known(known::PARENT_KEY, form.parent_key),
            creator_pid: form.creator_pid,
            creator_tid: form.creator_tid,
            creator_key: known(known::CREATOR_KEY, form.creator_key),
            image_exact: form.flags & flags::IMAGE_EXACT != 0,
            subsystem_process: form.flags & flags::SUBSYSTEM_PROCESS != 0,
            creation_status: form.creation_status,
            image_name,
            command_line,
        };
        Some((start, form.flags & THREADS_HEARD != 0))
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
    pub(crate) const SIZE: usize = size_of::<ExitForm>();

    pub(crate) fn write(&self, losses: u64, object: Object, out: &mut [u8]) {
        let form = ExitForm {
            held: Held::new(
                header(Kind::ProcessExit, Self::SIZE, losses, self.time),
                Some(object),
            ),
            create_time: self.create_time,
            key: self.id.key,
            pid: self.id.pid,
            exit_status: self.exit_status,
        };
        // The room was reserved for this form.
        let _ = form.write_to_prefix(out);
    }

    /// What [`Self::write`] wrote.
    pub(crate) fn read(record: &[u8]) -> Option<Self> {
        let (form, _) = ExitForm::read_from_prefix(record).ok()?;
        Some(Self {
            id: ProcessId {
                pid: form.pid,
                key: form.key,
            },
            time: form.held.header.time,
            create_time: form.create_time,
            exit_status: form.exit_status,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{ProcessExit, ProcessStart};
    use crate::facts::Object;
    use crate::form::{losses, object};
    use crate::process_table::ProcessId;
    use ntwatch_protocol::record::Kind;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    fn text() -> impl Strategy<Value = Option<Vec<u8>>> {
        prop::option::of(prop::collection::vec(any::<u8>(), 0..100))
    }

    proptest! {
        #[test]
        fn the_worker_reads_what_the_callback_wrote(
            numbers: [u64; 3],
            reference in 1u64..,
            ids: [u32; 5],
            keys: [Option<u64>; 2],
            flags: [bool; 3],
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
                creation_status: ids[4] as i32,
                image_name: image_name.as_deref(),
                command_line: command_line.as_deref(),
            };
            let mut record = vec![0; start.size()];
            start.write(7, flags[2], Object(reference), &mut record);
            prop_assert_eq!(ProcessStart::read(&record), Some((start, flags[2])));
            prop_assert_eq!(losses(&record), Some(7));
            prop_assert_eq!(object(Kind::ProcessStart, &record), Some(Object(reference)));

            let exit = ProcessExit { id, time: 1, create_time: 2, exit_status: ids[1] };
            let mut record = vec![0; ProcessExit::SIZE];
            exit.write(8, Object(reference), &mut record);
            prop_assert_eq!(ProcessExit::read(&record), Some(exit));
            prop_assert_eq!(losses(&record), Some(8));
            prop_assert_eq!(object(Kind::ProcessExit, &record), Some(Object(reference)));
        }

        #[test]
        fn bytes_that_no_callback_wrote_are_refused_or_read_inside_their_bounds(
            record in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            if let Some((start, _)) = ProcessStart::read(&record) {
                let strings = [start.image_name, start.command_line];
                let read: usize = strings.iter().flatten().map(|text| text.len()).sum();
                prop_assert!(read <= record.len());
            }
            let _ = ProcessExit::read(&record);
        }
    }
}
