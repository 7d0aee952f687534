//! What runs now, as Wine lists it.

use crate::ke::system_time;
use core::mem::offset_of;
use std::collections::BTreeMap;
use windows_sys::Wdk::System::SystemInformation::{
    NtQuerySystemInformation, SystemProcessInformation,
};
use windows_sys::Win32::Foundation::{STATUS_INFO_LENGTH_MISMATCH, STATUS_SUCCESS};
use windows_sys::Win32::System::WindowsProgramming::{
    SYSTEM_PROCESS_INFORMATION, SYSTEM_THREAD_INFORMATION,
};

/// An id and a time of creation: ids are used again.
pub(super) type Key = (usize, i64);

/// A process in the list.
pub(super) struct Entry {
    pub(super) parent: usize,
    pub(super) threads: Vec<Key>,
}

// What the headers call reserved, and Wine fills in: when it was created.
const PROCESS_CREATED: usize = offset_of!(SYSTEM_PROCESS_INFORMATION, Reserved1) + 24;
const THREAD_CREATED: usize = offset_of!(SYSTEM_THREAD_INFORMATION, Reserved1) + 16;
const _: () = assert!(PROCESS_CREATED == 0x20);
const _: () = assert!(size_of::<SYSTEM_PROCESS_INFORMATION>() == 0x100);
const _: () = assert!(size_of::<SYSTEM_THREAD_INFORMATION>() == 0x50);

/// The buffer that the list is fetched to.
#[derive(Default)]
pub(super) struct List(Vec<u64>);

impl List {
    /// The processes that run, by id. Page "NtQuerySystemInformation".
    pub(super) fn fetch(&mut self) -> Option<BTreeMap<Key, Entry>> {
        loop {
            let mut needed = 0;
            // SAFETY: a buffer of this size.
            let status = unsafe {
                NtQuerySystemInformation(
                    SystemProcessInformation,
                    self.0.as_mut_ptr().cast(),
                    size_of_val(self.0.as_slice()) as u32,
                    &raw mut needed,
                )
            };
            match status {
                STATUS_SUCCESS => return Some(self.entries()),
                STATUS_INFO_LENGTH_MISMATCH => self.0.resize(needed as usize / 8 + 512, 0),
                _ => return None,
            }
        }
    }

    fn entries(&self) -> BTreeMap<Key, Entry> {
        let now = system_time();
        let mut entries = BTreeMap::new();
        let mut offset = 0;
        loop {
            let process = self.0.as_ptr().wrapping_byte_add(offset);
            // SAFETY: Wine says that an entry begins here, in the buffer that it has filled.
            let entry = unsafe { read::<SYSTEM_PROCESS_INFORMATION>(process, 0) };
            // SAFETY: as above.
            let created = unsafe { read(process, PROCESS_CREATED) };
            let first = process.wrapping_byte_add(size_of::<SYSTEM_PROCESS_INFORMATION>());
            let threads = (0..entry.NumberOfThreads as usize).map(|nth| {
                let thread = first.wrapping_byte_add(nth * size_of::<SYSTEM_THREAD_INFORMATION>());
                // SAFETY: so many threads lie behind the process.
                let known = unsafe { read::<SYSTEM_THREAD_INFORMATION>(thread, 0) };
                // SAFETY: as above.
                let created = unsafe { read(thread, THREAD_CREATED) };
                (known.ClientId.UniqueThread as usize, created)
            });
            let found = Entry {
                parent: entry.Reserved2 as usize,
                threads: threads.collect(),
            };
            // N.B. Until a process has begun to run, Wine has no time in it but what is in new memory,
            // and neither image nor command line.
            if (1..=now).contains(&created) {
                entries.insert((entry.UniqueProcessId as usize, created), found);
            }
            if entry.NextEntryOffset == 0 {
                return entries;
            }
            offset += entry.NextEntryOffset as usize;
        }
    }
}

/// N.B. Entries lie at any even address.
///
/// # Safety
/// A value of this type is there.
unsafe fn read<T>(start: *const u64, offset: usize) -> T {
    let place = start.wrapping_byte_add(offset).cast::<T>();
    // SAFETY: the caller's promise.
    unsafe { place.read_unaligned() }
}
