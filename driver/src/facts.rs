//! What the worker finds out from Windows.

use crate::nt::object;
use crate::nt::pool::SystemBuffer;
use crate::nt::process::{HeldProcess, Process};
use crate::nt::process_handle::ProcessHandle;
use crate::nt::thread::Thread;
use crate::nt::thread_handle::ThreadHandle;
use crate::nt::token::PrimaryToken;
use ntwatch_engine::facts::{Facts, Object, System, ThreadFacts};
use ntwatch_engine::process_table::ProcessId;
use ntwatch_protocol::process::subsystem;
use wdk_sys::ntddk::RtlUpcaseUnicodeChar;

/// The kernel, at PASSIVE_LEVEL.
pub(crate) struct Windows;

/// The process of a record.
fn process<'a>(object: Object) -> Option<Process<'a>> {
    // SAFETY: the engine asks about objects of records that it has not released; their callbacks
    // took the references.
    unsafe { Process::of_object(object) }
}

/// The thread of a record.
fn thread<'a>(object: Object) -> Option<Thread<'a>> {
    // SAFETY: as in `process`.
    unsafe { Thread::of_object(object) }
}

impl System for Windows {
    type Buffer = SystemBuffer;

    fn process_facts(&self, object: Object, subsystem_process: bool) -> Facts<SystemBuffer> {
        let process = process(object);
        let token = process.and_then(PrimaryToken::of);
        let handle = process.and_then(ProcessHandle::open);
        Facts {
            image_path: process.and_then(Process::image_path),
            user: token.as_ref().and_then(PrimaryToken::user),
            logon_id: token.as_ref().and_then(PrimaryToken::logon_id),
            integrity: token.as_ref().and_then(PrimaryToken::integrity),
            elevated: handle.as_ref().and_then(ProcessHandle::elevated),
            session_id: token.as_ref().and_then(PrimaryToken::session_id),
            wow64: handle.as_ref().and_then(ProcessHandle::wow64),
            protection: handle.as_ref().and_then(ProcessHandle::protection),
            subsystem: if subsystem_process {
                handle.as_ref().and_then(ProcessHandle::subsystem)
            } else {
                Some(subsystem::WIN32)
            },
        }
    }

    fn image_path(&self, object: Object) -> Option<SystemBuffer> {
        process(object).and_then(Process::image_path)
    }

    fn thread_facts(&self, object: Object, ask_subsystem: bool) -> ThreadFacts {
        let handle = thread(object).and_then(ThreadHandle::open);
        ThreadFacts {
            start_address: handle.as_ref().and_then(ThreadHandle::start_address),
            subsystem: if ask_subsystem {
                handle.as_ref().and_then(ThreadHandle::subsystem)
            } else {
                Some(subsystem::WIN32)
            },
        }
    }

    fn process_create_time(&self, object: Object) -> Option<i64> {
        Some(thread(object)?.process()?.create_time())
    }

    fn find_image(&self, id: ProcessId) -> Option<SystemBuffer> {
        HeldProcess::find(id)?.get().image_path()
    }

    fn release(&self, object: Object) {
        // SAFETY: the engine releases the reference of a record once.
        unsafe { object::release(object) };
    }

    fn upcase(&self, unit: u16) -> u16 {
        upcase(unit)
    }
}

/// Page "RtlUpcaseUnicodeChar". IRQL ≤ APC_LEVEL.
pub(crate) fn upcase(unit: u16) -> u16 {
    // SAFETY: takes any unit.
    unsafe { RtlUpcaseUnicodeChar(unit) }
}
